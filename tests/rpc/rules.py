"""What holds for every transcript, whatever was asked: judged for each program that a case has run.

A line's place is its index among the lines; what was sent has the number of lines that had been read by then.
"""

import collections

NUMBERS = {'connected': 'connection', 'scan.start': 'scan', 'advertise.start': 'advertiser'}


def broken_rules(lines, sent):
    """In words."""
    return [*the_first_line(lines), *one_answer_each(lines, sent), *links_are_named_while_they_are_up(lines),
            *numbers_are_not_used_again(lines, sent), *nothing_comes_after_its_end(lines, sent)]


def the_first_line(lines):
    if [line.get('method') for line in lines].count('ready') != 1 or lines[0].get('method') != 'ready':
        yield '`ready` is not the first line, or not the only one of its kind'


def one_answer_each(lines, sent):
    asked = collections.Counter(message['id'] for _, message in sent if 'id' in message)
    answered = collections.Counter(line['id'] for line in lines if 'method' not in line and line['id'] is not None)
    for id, count in answered.items():
        if count > asked[id]:
            yield f'{count} answers to request {id}, which was sent {asked[id]} times'


def unanswered(lines, sent):
    """Ids without an answer, which is a fault only where the program had the time to give one."""
    answered = {line['id'] for line in lines if 'method' not in line}
    return [message['id'] for _, message in sent if 'id' in message and message['id'] not in answered]


def links_are_named_while_they_are_up(lines):
    up, ended = set(), set()
    for line in lines:
        method, named = line.get('method'), connection_of(line)
        if named is None:
            continue
        if method == 'connected':
            up.add(named)
        elif method == 'disconnected' and named in ended:
            yield f'connection {named} ended twice'
        elif named not in up:
            yield f'connection {named} is named before `connected`: {line}'
        elif named in ended and method is not None:
            yield f'connection {named} is named after `disconnected`: {line}'
        if method == 'disconnected':
            ended.add(named)


def connection_of(line):
    body = line.get('params') or line.get('result')
    return body.get('connection') if isinstance(body, dict) else None


def numbers_are_not_used_again(lines, sent):
    methods = {message['id']: message['method'] for _, message in sent if 'id' in message}
    used = collections.defaultdict(list)
    for line in lines:
        name, body = line.get('method') or methods.get(line.get('id')), line.get('params') or line.get('result')
        if name in NUMBERS and body:
            used[NUMBERS[name]].append(body[NUMBERS[name]])
        if 'method' in line and isinstance(body, dict) and body.get('request') is not None:
            used['request'].append(body['request'])
    for kind, numbers in used.items():
        if len(set(numbers)) != len(numbers):
            yield f'a number of kind {kind} was used again: {numbers}'


def nothing_comes_after_its_end(lines, sent):
    """No report of a scan that was stopped, no value of a subscription that was ended, until there is a new one."""
    places = {line['id']: at for at, line in enumerate(lines) if 'method' not in line and 'result' in line}
    spans = []  # from, to, what must not come
    for at, message in sent:
        method, params, end = message['method'], message.get('params') or {}, places.get(message.get('id'))
        if end is None:
            continue
        if method == 'scan.stop':
            spans.append((end, len(lines), ('scan.report', params['scan'])))
        if method == 'gatt.unsubscribe':
            key = params['connection'], params['handle']
            again = [since for since, later in sent if later['method'] == 'gatt.subscribe' and since >= at
                     and (later['params']['connection'], later['params']['handle']) == key]
            spans.append((end, min(again, default=len(lines)), ('gatt.notification', *key)))
    for first, last, key in spans:
        for line in lines[first:last]:
            if line.get('method') == key[0] and told(line['params'], key):
                yield f'after its end: {line}'


def told(params, key):
    names = ['scan'] if key[0] == 'scan.report' else ['connection', 'handle']
    return tuple(params[name] for name in names) == key[1:]
