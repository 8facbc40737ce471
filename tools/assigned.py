#!/usr/bin/env python3
"""Renews the tables of assigned numbers in src/assigned/ (standard library only).

usage: tools/assigned.py FOLDER

FOLDER holds tab-separated extracts of the Bluetooth SIG's public number repository and of Nordic Semiconductor's
bluetooth-numbers-database, one row a line, the first line a comment `# source: ...` that says where and when it was taken:

  company_ids          code, name                   member_uuids, sdo_uuids   uuid, name
  service_uuids, characteristic_uuids, descriptor_uuids, declaration_uuids    uuid, name, id (org.bluetooth.…)
  appearance           value, category, subcategory, category name, subcategory name
  ad_types             type, name, reference        core_version, uri_schemes code, name
  vendor_uuids128      uuid, kind, name, vendor, id              psm         psm, name

The tables of HCI and L2CAP names there are kept by hand: the SIG's repository has none.

Numbers there are 0x-prefixed hexadecimal. What is written is sorted by a key of fixed width, as `src/assigned.rs` searches it.
"""
import pathlib
import re
import sys

NORDIC = """\
Copyright (c) 2019 - 2020, Nordic Semiconductor ASA
All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following
   disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
   disclaimer in the documentation and/or other materials provided with the distribution.

3. Neither the name of Nordic Semiconductor ASA nor the names of its contributors may be used to endorse or promote
   products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY, AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL NORDIC SEMICONDUCTOR ASA OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY,
WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF
THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE."""


def read(folder, table):
    """Returns the source line and the rows of one extract."""
    lines = (folder / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    source = lines[0].removeprefix("# ")
    if not source.startswith("source: "):
        sys.exit(f"{table}.tsv: its first line does not say its source")
    lines = [re.sub(r"\\textsubscript\{(\w+)\}", r"\1", line) for line in lines]  # the SIG's names hold some TeX
    return source, [line.split("\t") for line in lines if line and not line.startswith("#")]


def write(folder, table, columns, source, rows, notice=""):
    """Writes one table, sorted; a key that stands twice is refused, since only one would be found."""
    rows = sorted(rows)
    keys = [row[0] for row in rows]
    if len(set(keys)) != len(keys) or len({len(key) for key in keys}) != 1:
        sys.exit(f"{table}: keys that stand twice, or of different widths")
    if any("\t" in cell or "\n" in cell for row in rows for cell in row):
        sys.exit(f"{table}: a tab or a line end inside a cell")
    head = [source, "Names and numbers as published, no specification. Written by tools/assigned.py.", columns]
    head += notice.splitlines()
    text = "".join(f"# {line}".rstrip() + "\n" for line in head)
    text += "".join("\t".join(row) + "\n" for row in rows)
    (folder / f"{table}.tsv").write_text(text, encoding="utf-8")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    facts = pathlib.Path(sys.argv[1])
    out = pathlib.Path(__file__).resolve().parent.parent / "src" / "assigned"

    def hexadecimal(text, digits):
        return f"{int(text, 16):0{digits}X}"

    source, rows = read(facts, "company_ids")
    companies = [(hexadecimal(r[0], 4), r[1]) for r in rows] + [("FFFF", "(reserved for tests)")]
    write(out, "companies", "company identifier, name", source, companies)
    for table in ("member", "sdo"):
        source, rows = read(facts, f"{table}_uuids")
        write(out, f"{table}s", "16-bit UUID, name", source, [(hexadecimal(r[0], 4), r[1]) for r in rows])
    for kind in ("service", "characteristic", "descriptor", "declaration"):
        source, rows = read(facts, f"{kind}_uuids")
        prefix = "org.bluetooth.attribute." if kind == "declaration" else f"org.bluetooth.{kind}."
        named = [(hexadecimal(r[0], 4), r[1], r[2].removeprefix(prefix)) for r in rows]
        write(out, f"{kind}s", f"16-bit UUID, name, identifier after `{prefix}`", source, named)

    source, rows = read(facts, "appearance")
    named = [(hexadecimal(r[0], 4), f"{r[3]}: {r[4]}" if len(r) > 4 and r[4] else r[3]) for r in rows]
    write(out, "appearances", "appearance, category or `category: subcategory`", source, named)

    source, rows = read(facts, "ad_types")
    types = {}
    for r in rows:
        types.setdefault(hexadecimal(r[0], 2), []).append(r[1])
    write(out, "ad_types", "AD type, name; two names where the number is used twice", source,
          [(key, " / ".join(names)) for key, names in types.items()])

    source, rows = read(facts, "core_version")
    write(out, "core_versions", "LMP or HCI version, name", source, [(hexadecimal(r[0], 2), r[1]) for r in rows])
    source, rows = read(facts, "psm")
    write(out, "psms", "PSM or SPSM, name", source, [(hexadecimal(r[0], 4), r[1].replace("_", " ")) for r in rows])
    source, rows = read(facts, "uri_schemes")
    named = [(hexadecimal(r[0], 4), "" if r[1] == "empty scheme name" else r[1]) for r in rows]
    write(out, "uri_schemes", "first code point of an AD structure of type URI, scheme", source, named)

    source, rows = read(facts, "vendor_uuids128")
    for kind in ("service", "characteristic"):
        named = [(r[0].lower(), r[2], r[4]) for r in rows if r[1] == kind]
        write(out, f"vendor_{kind}s", "128-bit UUID, name, identifier", source, named, NORDIC)


if __name__ == "__main__":
    main()
