"""Drives `baretooth shell` as a person does: at a real terminal, which is tmux.

What is judged is what stands on the screen, how the shell ends, and how it leaves the terminal.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time

# Seconds in which whatever is waited for has to be there.
PATIENCE = 20
PROMPT = "baretooth> "
STRAP = "C0:BA:E7:70:00:01/random"
LOCK = "C0:BA:E7:70:00:06/random"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cli", required=True, type=pathlib.Path, help="the program")
    parser.add_argument("cases", nargs="*", help="only these")
    arguments = parser.parse_args()
    cases = {name.removeprefix("case_"): case for name, case in globals().items() if name.startswith("case_")}
    chosen = arguments.cases or list(cases)
    failed = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(arguments.cli.resolve(), pathlib.Path(folder))
            try:
                cases[name](bench)
                print(f"{name}: ok", flush=True)
            except Failed as failure:
                failed.append(name)
                print(f"{name}: {failure}\n{bench.screens()}", flush=True)
            finally:
                bench.end()
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


class Failed(Exception):
    """What a case found."""


def check(holds, message):
    if not holds:
        raise Failed(message)


def until(what, found, patience=PATIENCE):
    """Asks again until there is an answer."""
    end = time.monotonic() + patience
    while True:
        answer = found()
        if answer:
            return answer
        check(time.monotonic() < end, f"not within {patience} s: {what}")
        time.sleep(0.05)


class Bench:
    """A folder, the terminals in it and the programs beside them."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.terminals, self.programs = [], []
        self.server = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]

    def shell(self, *options, adapter="sim", environment=(), width=100):
        """A shell at a terminal of its own, at its first prompt."""
        terminal = Terminal(self, f"t{len(self.terminals)}", width)
        self.terminals.append(terminal)
        state = f"XDG_STATE_HOME={self.folder}"
        words = ["env", state, *environment, self.program, "-a", adapter, "--seed", "1", *options, "shell"]
        line = " ".join(f"'{word}'" for word in words)
        # How it ended, and what it left: whether a terminal echoes and gives whole lines.
        terminal.start(f"{line}; echo ended with $?; stty -a | tr ' ;' '\\n\\n' | grep -xE -- '-?(icanon|echo|isig)' | xargs; sleep 600")
        terminal.until_prompt()
        return terminal

    def run(self, *words):
        process = subprocess.Popen([self.program, *words], stdout=subprocess.PIPE, text=True)
        self.programs.append(process)
        return process

    def radio(self):
        """Adapters of two controllers on one virtual radio."""
        listen = ["--listen", "tcp-server:127.0.0.1:0"]
        radio = self.run("--json", "sim", *listen, *listen)
        return [json.loads(radio.stdout.readline())["adapter"] for _ in range(2)]

    def screens(self):
        return "\n".join(f"--- {terminal.name}\n{terminal.screen()}" for terminal in self.terminals)

    def end(self):
        subprocess.run([*self.server, "kill-server"], stderr=subprocess.DEVNULL)
        for process in reversed(self.programs):
            process.kill()
            process.wait()


class Terminal:
    def __init__(self, bench, name, width):
        self.bench, self.name, self.width = bench, name, width

    def start(self, line):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("BARETOOTH", "TMUX", "NO_COLOR"))}
        words = ["new-session", "-d", "-s", self.name, "-x", str(self.width), "-y", "40", line]
        subprocess.run([*self.bench.server, *words], check=True, env=environment)

    def tmux(self, *words):
        done = subprocess.run([*self.bench.server, *words], stdout=subprocess.PIPE, text=True)
        return done.stdout

    def type(self, text):
        self.tmux("send-keys", "-t", self.name, "-l", "--", text)

    def key(self, *names):
        self.tmux("send-keys", "-t", self.name, *names)

    def screen(self, *options):
        """Lines that are on it; one that is too long for it is one all the same."""
        return self.tmux("capture-pane", "-p", "-J", "-t", self.name, *options).rstrip()

    def lines(self):
        return [line.rstrip() for line in self.screen().splitlines()]

    def last(self):
        return (self.lines() or [""])[-1]

    def until(self, text):
        until(f"{text!r} on the screen", lambda: text in self.screen())

    def until_last(self, text):
        until(f"{text!r} as the last line", lambda: self.last() == text.rstrip())

    def until_prompt(self):
        self.until_last(PROMPT)

    def line(self, text):
        """Types a line, and gives what is on the screen behind it when the prompt is there again."""
        self.tmux("clear-history", "-t", self.name)
        self.key("C-l")
        until("an empty screen", lambda: self.lines() == [PROMPT.rstrip()])
        self.type(text)
        self.key("Enter")
        until(f"the prompt behind {text!r}", lambda: len(self.lines()) > 1 and self.last() == PROMPT.rstrip())
        return self.lines()[1:-1]

    def size(self, width, height=40):
        self.tmux("resize-window", "-t", self.name, "-x", str(width), "-y", str(height))

    def process(self):
        """The shell itself, which is a child of the terminal's."""
        pane = self.tmux("list-panes", "-t", self.name, "-F", "#{pane_pid}").strip()
        children = pathlib.Path(f"/proc/{pane}/task/{pane}/children").read_text().split()
        check(len(children) == 1, f"one child of the terminal: {children}")
        return int(children[0])

    def until_ended(self, status):
        self.until(f"ended with {status}")
        self.until("isig icanon echo")


def case_completion(bench):
    """Verbs, options, addresses that were heard, names and handles that were discovered."""
    shell = bench.shell()
    shell.type("sc")
    shell.key("Tab")
    shell.until_last(PROMPT + "scan")
    shell.type("--ti")
    shell.key("Tab")
    shell.until_last(PROMPT + "scan --timeout")
    shell.type("1")
    shell.key("Enter")
    shell.until("HR strap")
    shell.until_prompt()
    shell.type("gatt c0:ba:e7:70:00:0")
    shell.key("Tab", "Tab")
    for device in range(1, 7):
        shell.until(f"C0:BA:E7:70:00:0{device}/random")
    shell.type("1")
    shell.key("Tab")
    shell.until_last(PROMPT + "gatt " + STRAP)
    shell.key("Enter")
    shell.until("Firmware Revision String")
    shell.until_prompt()
    shell.type(f"read {STRAP} bat")
    shell.key("Tab")
    shell.until_last(f"{PROMPT}read {STRAP} battery_level")
    shell.type("--u8")
    shell.key("Enter")
    shell.until("Battery Level (0x0012): 87")
    shell.until_prompt()
    shell.type(f"read {STRAP} 0x0012")
    shell.key("Tab", "Enter")
    shell.until("Battery Level (0x0012): 57")


def case_history(bench):
    """What was typed is there in the next shell, but no answers and nothing behind a blank."""
    shell = bench.shell()
    check(shell.line(f"read {STRAP} battery_level --u8") == ["Battery Level (0x0012): 87"], "a read")
    shell.line(" links --json")
    shell.line(" links")
    shell.type(f"pair {LOCK} --mitm")
    shell.key("Enter")
    shell.until("type the passkey")
    shell.type("123456")
    shell.key("Enter")
    shell.until("paired with " + LOCK)
    shell.until_prompt()
    shell.key("C-d")
    shell.until_ended(0)
    history = bench.folder / "baretooth" / "shell_history"
    check(stat.S_IMODE(history.stat().st_mode) == 0o600, "nobody else may read it")
    text = history.read_text()
    check("links" not in text and "123456" not in text, f"it has what it should not: {text}")
    again = bench.shell()
    again.key("Up")
    again.until_last(f"{PROMPT}pair {LOCK} --mitm")
    again.key("Up")
    again.until_last(f"{PROMPT}read {STRAP} battery_level --u8")
    again.key("Enter")
    again.until("Battery Level (0x0012): 87")


def case_values_between_prompts(bench):
    """A line that is being typed stays whole and below the values, which have a colour unless nobody wants one."""
    value = f"{STRAP}  Heart Rate Measurement (0x000c): "
    for environment, coloured in ([], True), (["NO_COLOR=1"], False):
        shell = bench.shell(environment=environment)
        shell.line(f"subscribe {STRAP} heart_rate_measurement")
        shell.type(f"read {STRAP} bat")
        count = lambda: sum(line.startswith(value) for line in shell.lines())
        before = count()
        until("two more values", lambda: count() >= before + 2)
        check(shell.last() == f"{PROMPT}read {STRAP} bat", f"the line is not whole: {shell.last()!r}")
        shell.type("tery_level --u8")
        shell.key("Enter")
        shell.until("\nBattery Level (0x0012): 87")
        # The first colour of the line: tmux gives what it draws.
        drawn = [line for line in shell.screen("-e").splitlines() if "Measurement (0x000c): " in line]
        check(any("\x1b[36m" in line for line in drawn) == coloured, f"colours with {environment}: {drawn}")
        told = shell.line(f"unsubscribe {STRAP}")
        check(f"{STRAP}  unsubscribed from Heart Rate Measurement (0x000c)" in told, f"{told}")
        check(shell.line("wait 1.5") == [], "values behind the end")


def case_a_link_that_goes_down_is_told(bench):
    ours, theirs = bench.radio()
    device = bench.run("-a", theirs, "--json", "advertise", str(ROOT / "examples" / "thermometer.toml"))
    address = json.loads(device.stdout.readline())["address"]
    shell = bench.shell(adapter=ours)
    shell.line(f"connect {address}/random")
    shell.type("lin")
    device.kill()
    shell.until(f"{address}/random disconnected: ")
    shell.until_last(PROMPT + "lin")
    shell.key("C-c")
    shell.until_prompt()
    check(shell.line("links") == [], "no link is left")


def case_interrupt_in_the_middle_of_a_read(bench):
    """Ctrl-C ends the read; the link stays, and is used by the next one."""
    ours, theirs = bench.radio()
    device = bench.run("-a", theirs, "--json", "advertise", str(ROOT / "examples" / "thermometer.toml"))
    address = json.loads(device.stdout.readline())["address"] + "/random"
    capture = bench.folder / "session.btsnoop"
    shell = bench.shell("--capture", str(capture), adapter=ours)
    first = shell.line(f"read {address} temperature")
    check(len(first) == 1 and first[0].startswith("Temperature (0x"), f"{first}")
    handle = re.search(r"\((0x....)\)", first[0])[1]
    # A device that is slow to answer.
    device.send_signal(signal.SIGSTOP)
    shell.key("C-l")
    until("an empty screen", lambda: shell.lines() == [PROMPT.rstrip()])
    shell.type(f"read {address} {handle}")
    shell.key("Enter")
    requests = lambda: captured(bench, capture)["att_opcodes"].get("0x0a", 0)
    sent = requests()
    until("the request on the air", lambda: requests() > sent or requests() >= 2)
    check(shell.last() == f"{PROMPT}read {address} {handle}", "it waits")
    shell.key("C-c")
    shell.until_prompt()
    check(shell.line("links") == [f"{address}  MTU 517"], "the link is there")
    device.send_signal(signal.SIGCONT)
    again = shell.line(f"read {address} {handle}")
    check(again == first, f"another answer: {again}")
    shell.key("C-d")
    shell.until_ended(0)
    check(captured(bench, capture)["le_connections"] == 1, "one link for all")


def captured(bench, capture):
    done = subprocess.run([bench.program, "stats", "--json", capture], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def case_interrupt_elsewhere(bench):
    """Ctrl-C ends the verb in progress or gives up a line, and never the shell."""
    shell = bench.shell()
    shell.type("nonsense")
    shell.key("C-c")
    shell.until_prompt()
    for verb, begun in [
        ("scan", "HR strap"),
        ("connect C0:BA:E7:70:00:99/random", None),
        ("wait 1000", None),
        (f"notify {STRAP} heart_rate_measurement", "Heart Rate Measurement (0x000c): "),
        (f"pair {LOCK} --mitm", "type the passkey"),
        (f"write C0:BA:E7:70:00:02 ba8e7007-0001-4000-8000-000000000001 -", None),
    ]:
        shell.key("C-l")
        until("an empty screen", lambda: shell.lines() == [PROMPT.rstrip()])
        shell.type(verb)
        shell.key("Enter")
        if begun:
            shell.until(begun)
        else:
            # It has been begun when a further line is not edited any more: the terminal has it as it is.
            until(f"the beginning of {verb}", lambda: not edits(shell))
        shell.key("C-c")
        shell.until_prompt()
        told = shell.line(f"read {STRAP} battery_level --u8")
        check(told == ["Battery Level (0x0012): 87"], f"behind {verb}: {told}")
    shell.type("exit")
    shell.key("Enter")
    shell.until_ended(0)


def edits(shell):
    """Whether the terminal gives each key to the shell."""
    name = shell.tmux("list-panes", "-t", shell.name, "-F", "#{pane_tty}").strip()
    return " -icanon" in subprocess.run(["stty", "-F", name, "-a"], stdout=subprocess.PIPE, text=True).stdout


def case_resize(bench):
    """A line that is being typed and a table that is being drawn fit the terminal behind a change of its size."""
    shell = bench.shell()
    shell.type(f"read {STRAP} battery_")
    shell.until_last(f"{PROMPT}read {STRAP} battery_")
    for width in (40, 30, 90):
        shell.size(width)
        shell.type("x")
        shell.key("BSpace")
    shell.type("level --u8")
    shell.until_last(f"{PROMPT}read {STRAP} battery_level --u8")
    shell.key("Enter")
    shell.until("\nBattery Level (0x0012): 87")
    shell.until_prompt()
    shell.key("C-l")
    shell.type("scan")
    shell.key("Enter")
    shell.until("Thermometer")
    shell.size(50, 20)
    # The head, and five devices, since one has a link; by the rows of the screen, not as what it holds was written.
    rows = lambda: shell.tmux("capture-pane", "-p", "-t", shell.name).rstrip().splitlines()
    until("a table of the new width", lambda: is_table(rows()[-6:]))
    shell.key("C-c")
    shell.until_prompt()


def is_table(rows):
    return rows[0].startswith("ADDRESS") and all(row.startswith("C0:BA:E7:70:00:0") for row in rows[1:])


def case_terminated(bench):
    """SIGTERM and the end of the terminal end the shell at the prompt, the adapter idle and the terminal as it was."""
    ours, theirs = bench.radio()
    device = bench.run("-a", theirs, "--json", "advertise", str(ROOT / "examples" / "thermometer.toml"))
    address = json.loads(device.stdout.readline())["address"] + "/random"
    for signum in signal.SIGTERM, signal.SIGHUP:
        shell = bench.shell(adapter=ours)
        check(shell.line(f"connect {address}") == [f"connected to {address}, an MTU of 517"], "a link")
        check(json.loads(device.stdout.readline())["type"] == "connected", "the device has it too")
        shell.type("half a li")
        os.kill(shell.process(), signum)
        shell.until_ended(130)
        check(json.loads(device.stdout.readline())["type"] == "disconnected", "the link is down")


if __name__ == "__main__":
    main()
