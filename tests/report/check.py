"""Makes reports of captures and looks at them as a person would: in Chromium, with the network cut.

Each page has to load nothing, break no rule of its own policy, hold the facts that its capture is known for, run its
script, and be drawn: in a window of a desk, of a telephone, and in the dark.
"""

import argparse
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Text that each page has to show.
FACTS = {
    "heart_rate": [
        "Attributes and their last values", "1 link, nothing went wrong", "HR strap", "Battery Level", "ended by us at 3.926 s", "notified 3×",
        "notifications", "Core Specification 5.3",
    ],
    "long_values": ["1 link, nothing went wrong", "100 octets", "written 1×"],
    "three_links": ["3 links, 1 lost by Connection Timeout (0x08)", "out of range, switched off"],
    "advertisers": ["4 devices heard, no link", "strength over time"],
    "bumble_refused": ["Insufficient Encryption (0x0F)", "pair with it first"],
    "tour": [
        "6 links, 3 ATT errors", "UART echo", "Read Not Permitted (0x02)", "application error (0x80)",
        "Insufficient Authentication (0x05)", "Firmware Revision String", "HCI commands", "ATT requests",
    ],
}
# The details that the script puts on drawings are in every page once it has run.
OF_ALL = ["Timeline", "What went wrong", "data-tip="]


# Name, width and height, and whether the person likes it dark.
WINDOWS = [("desk", (1200, 1200), False), ("phone", (500, 1200), False), ("dark", (1200, 1200), True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cli", required=True, type=pathlib.Path, help="the program")
    parser.add_argument("--keep", type=pathlib.Path, help="leaves pages and pictures in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = arguments.keep or pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        browser = Browser(folder)
        controls(browser, folder)
        formats = (".btsnoop", ".pcap", ".pcapng", ".pklg")
        captures = {path.stem: path for path in sorted((ROOT / "captures").iterdir()) if path.suffix in formats}
        captures["tour"] = folder / "tour.btsnoop"
        run([arguments.cli, "tour", "--capture", captures["tour"]])
        for name, capture in captures.items():
            page = folder / f"{name}.html"
            run([arguments.cli, "report", capture, "--output", page])
            judge(browser, page, OF_ALL + FACTS.get(name, []), WINDOWS if name in FACTS else [])
        if missing := set(FACTS) - set(captures):
            sys.exit(f"no capture {missing}")
    print(f"{len(captures)} pages looked at")


def judge(browser, page, facts, windows):
    dom = browser.dom(page)
    missing = [fact for fact in facts if fact not in dom]
    if missing:
        sys.exit(f"{page.name} does not show {missing}")
    size = page.stat().st_size
    if size > 2_000_000:
        sys.exit(f"{page.name} has {size} octets")
    for name, window, dark in windows:
        pixels = Picture(browser.picture(page, name, window, dark))
        drawn = pixels.drawn()
        if drawn < 0.02 or pixels.colours() < 40:
            sys.exit(f"{page.name} is all but blank ({name}): {drawn:.3f} drawn, {pixels.colours()} colours")
        if pixels.is_dark() != dark:
            sys.exit(f"{page.name} does not follow the colour scheme ({name})")
    print(f"{page.name}: {size} octets, looks as it should")


def controls(browser, folder):
    """Pages that are wrong, to see that each check can fail."""
    picture = "<img src=\"http://example.invalid/x.png\">"
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\">"
    page = folder / "control.html"
    page.write_text(f"<!DOCTYPE html><p>control{picture}")
    if not fails(browser.dom, page):
        sys.exit("a page that loads a picture was not seen to")
    page.write_text(f"<!DOCTYPE html>{policy}<p>control{picture}")
    if not fails(browser.dom, page):
        sys.exit("a page that breaks its policy was not seen to")
    page.write_text("<!DOCTYPE html><p>control")
    if fails(browser.dom, page):
        sys.exit("a page that loads nothing is said to")
    pixels = Picture(browser.picture(page, *WINDOWS[0]))
    if pixels.drawn() >= 0.02 or pixels.colours() >= 40:
        sys.exit("a blank page is said to be drawn")


def fails(check, *arguments):
    try:
        check(*arguments)
    except SystemExit:
        return True
    return False


class Browser:
    """Chromium without a network: no name has an address."""

    OPTIONS = [
        "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr", "--force-device-scale-factor=1",
    ]

    def __init__(self, folder):
        self.folder = folder

    def dom(self, page):
        """What the page is after its script ran; ends when it asked for anything."""
        log = self.folder / "net.json"
        output = self.run(page, ["--dump-dom", f"--log-net-log={log}"])
        wanted = requests_of(json.loads(log.read_text()))
        if wanted:
            sys.exit(f"{page.name} asked for {wanted}")
        return output

    def picture(self, page, name, window, dark):
        path = self.folder / f"{page.stem}.{name}.png"
        options = [f"--screenshot={path}", f"--window-size={window[0]},{window[1]}"]
        # What the page asks for, not what the browser makes of light pages.
        self.run(page, options + (["--blink-settings=preferredColorScheme=0"] if dark else []))
        return path

    def run(self, page, options):
        with tempfile.TemporaryDirectory() as profile:
            command = ["chromium", *self.OPTIONS, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
            # Root is refused a sandbox, and containers mostly run as root; the page is our own and loads nothing.
            if os.geteuid() == 0:
                command.insert(1, "--no-sandbox")
            ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if ended.returncode != 0:
            sys.exit(f"chromium failed on {page.name}:\n{ended.stderr[-2000:]}")
        said = [line for line in ended.stderr.splitlines() if "CONSOLE" in line]
        if said:
            sys.exit(f"{page.name} has something to say: {said}")
        return ended.stdout


def requests_of(log):
    """Addresses that the page asked for. Those without an origin are the browser's own errands."""
    starts = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    parameters = [event.get("params", {}) for event in log["events"] if event["type"] == starts]
    asked = {p["url"] for p in parameters if "url" in p and p.get("initiator") != "not an origin"}
    return sorted(url for url in asked if not re.match("(file|data):", url))


class Picture:
    """The pixels of a PNG of 8 bits a channel, as Chromium writes them."""

    def __init__(self, path):
        data = path.read_bytes()
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            sys.exit(f"{path.name} is no PNG")
        at, packed = 8, b""
        while at < len(data):
            length, kind = struct.unpack_from(">I4s", data, at)
            body = data[at + 8:at + 8 + length]
            if kind == b"IHDR":
                self.width, self.height, depth, colour = struct.unpack_from(">IIBB", body)
                self.step = {2: 3, 6: 4}[colour]
                assert depth == 8
            elif kind == b"IDAT":
                packed += body
            at += length + 12
        self.rows = list(self.unfiltered(zlib.decompress(packed)))

    def unfiltered(self, raw):
        stride, step = self.width * self.step, self.step
        before = bytearray(stride)
        for start in range(0, len(raw), stride + 1):
            kind, line = raw[start], bytearray(raw[start + 1:start + 1 + stride])
            for n in range(stride if kind else 0):
                left = line[n - step] if n >= step else 0
                up, corner = before[n], before[n - step] if n >= step else 0
                if kind == 1:
                    guess = left
                elif kind == 2:
                    guess = up
                elif kind == 3:
                    guess = (left + up) // 2
                else:
                    guess = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                                (abs(left + up - 2 * corner), 2, corner))[2]
                line[n] = (line[n] + guess) & 0xFF
            before = line
            yield bytes(line)

    def pixels(self):
        # Every third of every third row is enough, and quick.
        for row in self.rows[::3]:
            for n in range(0, len(row), 3 * self.step):
                yield row[n:n + 3]

    def counted(self):
        if not hasattr(self, "counts"):
            self.counts = {}
            for pixel in self.pixels():
                self.counts[pixel] = self.counts.get(pixel, 0) + 1
        return self.counts

    def colours(self):
        return len(self.counted())

    def drawn(self):
        """The part that has none of the three most frequent colours: paper, cards and the heads of tables."""
        counts = sorted(self.counted().values())
        return sum(counts[:-3]) / sum(counts)

    def is_dark(self):
        return sum(max(self.counted(), key=self.counted().get)) < 3 * 128


def run(command):
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {ended.stderr}")


if __name__ == "__main__":
    main()
