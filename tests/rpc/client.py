"""One `baretooth rpc` and its lines: each is held to the schema as it comes, all of them to the rules at the end.

It shares nothing with the program but the schema. Requests go out one by one or many in one write; what comes back is
kept in its order, with a place (`mark`) for each, so that a case can ask what came before what.
"""

import itertools
import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager

from harness import Failure, equal, expect, first, shortened, spawn
from rules import broken_rules

PIECE = 65536


class Refused(Failure):
    """An answer that is an error."""

    def __init__(self, method, error):
        super().__init__(f'{method}: {error}')
        self.code, self.data = error['code'], error.get('data', {})


class Rpc:
    def __init__(self, command, schema, log):
        self.schema, self.command = schema, ' '.join(map(str, command))
        with open(log, 'ab') as errors:
            self.process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self.numbers = itertools.count(1)
        self.sent = []  # (place in `lines` when it was sent, message)
        self.written = []  # of these, what follows the schema
        self.lines, self.problems = [], []
        self.methods, self.answers = {}, {}  # by the id of the request
        self.changed, self.ended, self.reading = threading.Condition(), False, threading.Event()
        self.finished = False
        self.reading.set()
        threading.Thread(target=self.read, daemon=True).start()
        self.ready = self.wait('ready', timeout=20)

    # --- what comes back

    def read(self):
        rest = b''
        while True:
            self.reading.wait()
            piece = os.read(self.process.stdout.fileno(), PIECE)
            *whole, rest = (rest + piece).split(b'\n')
            with self.changed:
                for line in whole:
                    self.take(line)
                if not piece:
                    if rest:
                        self.problems.append(f'the last line has no end: {shortened(rest)}')
                    self.ended = True
                self.changed.notify_all()
            if not piece:
                return

    def take(self, line):
        try:
            message = json.loads(line.decode())
        except ValueError:
            self.problems.append(f'not JSON: {shortened(line)}')
            return
        self.lines.append(message)
        if 'method' not in message and not isinstance(message.get('id'), (dict, list)):
            self.answers.setdefault(message.get('id'), message)
        problem = self.schema.problem(message, self.methods.get(message.get('id')))
        if problem:
            self.problems.append(f'{shortened(message)}: {problem}')

    @contextmanager
    def not_reading(self):
        """A reader that stops. What is on its way already is still taken: at most one piece."""
        self.reading.clear()
        try:
            yield
        finally:
            self.reading.set()

    def mark(self):
        """A place in the lines; `start=mark` means those that come after it."""
        return len(self.lines)

    def wait_for(self, matches, timeout, what, start=0):
        """The first line from `start` on that matches."""
        return first(self, self.lines, matches, timeout, what, start)

    def wait(self, told, /, timeout=10, start=0, **members):
        """The params of the first such notification with these members."""
        found = self.wait_for(
            lambda line: line.get('method') == told and members.items() <= line['params'].items(),
            timeout, f'{told} {members or ""}', start)
        return found['params']

    def notified(self, told, /, start=0, **members):
        """The params of all such notifications so far."""
        return [line['params'] for line in self.lines[start:]
                if line.get('method') == told and members.items() <= line['params'].items()]

    def place(self, told, /, **members):
        """Where the first such notification stands."""
        return next(at for at, line in enumerate(self.lines)
                    if line.get('method') == told and members.items() <= line['params'].items())

    def place_of_answer(self, id):
        return next(at for at, line in enumerate(self.lines) if 'method' not in line and line['id'] == id)

    # --- what goes out

    def send(self, method, /, **params):
        """A request that follows the schema; its id."""
        return self.send_all([(method, params)])[0]

    def send_all(self, calls, and_cancel=False):
        """Many requests in one write, each followed by its cancellation if that is wanted; their ids."""
        ids, messages = [], []
        for method, params in calls:
            wrong = self.schema.refusal(method, params)
            expect(wrong is None, f'the schema refuses the params of {method} {shortened(params)}: {wrong}')
            ids.append(next(self.numbers))
            messages.append({'jsonrpc': '2.0', 'id': ids[-1], 'method': method, 'params': params})
            if and_cancel:
                messages.append(cancellation(ids[-1]))
        self.write(messages)
        return ids

    def write(self, messages):
        self.written += messages
        with self.changed:
            for message in messages:
                self.sent.append((len(self.lines), message))
                if 'id' in message:
                    self.methods[message['id']] = message['method']
        self.raw(''.join(json.dumps(message) + '\n' for message in messages).encode())

    def raw(self, octets, asks=None):
        """Anything; what it asks for, if it does."""
        if asks:
            with self.changed:
                self.sent.append((len(self.lines), asks))
                self.methods[asks['id']] = asks['method']
        try:
            self.process.stdin.write(octets)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure('the program does not read its input any more') from None

    def cancel(self, id):
        self.write([cancellation(id)])

    def answer(self, id, timeout=15):
        """The whole answer."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while id not in self.answers:
                left = deadline - time.monotonic()
                expect(left > 0, f'the answer to {id}, {self.methods.get(id)}, did not come within {timeout} s')
                expect(not self.ended, f'the program ended before the answer to {id}, {self.methods.get(id)}')
                self.changed.wait(left)
        return self.answers[id]

    def result(self, id, timeout=15):
        answer = self.answer(id, timeout)
        if 'error' in answer:
            raise Refused(self.methods[id], answer['error'])
        return answer['result']

    def error(self, id, kind, timeout=15):
        """The data of an error of that kind, which the answer must be."""
        try:
            result = self.result(id, timeout)
        except Refused as refused:
            equal(refused.data.get('kind'), kind, f'kind of the error {refused}')
            equal(refused.data.get('operation'), self.methods[id], 'operation of the error')
            return refused.data
        raise Failure(f'{self.methods[id]} gave {shortened(result)}, expected an error of kind {kind}')

    def call(self, method, /, timeout=15, **params):
        return self.result(self.send(method, **params), timeout)

    def refused(self, method, kind, /, within=15, **params):
        return self.error(self.send(method, **params), kind, within)

    # --- the end

    def close(self):
        self.process.stdin.close()

    def finish(self, code=0, timeout=10):
        """Closes its input, if that has not been done, and waits for the end; then judges the whole transcript."""
        self.finished = True
        self.reading.set()
        if not self.process.stdin.closed:
            self.close()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f'`{self.command}` did not end within {timeout} s') from None
        with self.changed:
            self.changed.wait_for(lambda: self.ended, 5)
        equal(self.process.returncode, code, f'exit status of `{self.command}`')
        problems = [*self.problems, *broken_rules(self.lines, self.sent), *self.unlike_the_published_schema()]
        expect(not problems, '\n'.join(problems[:5]))

    def unlike_the_published_schema(self):
        """One line of each kind, of either side, beside the list of all lines."""
        for side, messages in ('server', self.lines), ('client', self.written):
            kinds = {message.get('method') or ('result' in message): message for message in messages}
            for message in kinds.values():
                wrong = self.schema.of_all_lines(message, side)
                if wrong:
                    yield f'{shortened(message)} is no line of the {side}: {wrong}'

    def memory(self):
        """The most octets that it has had in memory so far."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            line, = (line for line in status if line.startswith('VmHWM:'))
        return int(line.split()[1]) * 1024


def cancellation(id):
    return {'jsonrpc': '2.0', 'method': 'cancel', 'params': {'id': id}}
