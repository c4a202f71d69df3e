"""Verifies an unpacked bundle of a Crumbgate ledger, as VERIFY.txt describes: python3 verify.py [FOLDER]

Uses Python's own modules and the command `openssl`, and nothing of Crumbgate.
"""

import base64
import collections
import hashlib
import json
import os
import subprocess
import sys
import tempfile

os.chdir(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__)))


def sha256(data):
    return hashlib.sha256(data).digest()


def demand(fits, what):
    if not fits:
        sys.exit("It does not verify: " + what)


def lines(name):
    with open(name, "rb") as file:
        for line in file:
            demand(line.endswith(b"\n"), name + " is cut")
            yield line[:-1]


def is_signed(text, signature, public_key):
    with tempfile.TemporaryDirectory() as folder:
        # The DER encoding of an Ed25519 key: this prefix and the key (RFC 8410).
        parts = {"text": text, "signature": signature, "key": bytes.fromhex("302a300506032b6570032100") + public_key}
        for name, content in parts.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        command = "openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey key -in text -sigfile signature"
        return subprocess.run(command.split(), cwd=folder, capture_output=True).returncode == 0


# 1. The keys.
def public_key(verifier):
    name, key_id, key = verifier.split("+", 2)
    key = base64.b64decode(key)
    demand(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "the key " + verifier)
    return name, key[1:]


keys = [line.decode().split(" ", 1) for line in lines("keys.txt")]
for since, verifier in keys:
    print("key from segment", since + ":", verifier)
    print("    fingerprint", sha256(public_key(verifier)[1]).hex())

# 2. and 3. The signatures, and the chain.
segments = []
verifier = keys[0][1]
signers = [["1", verifier]]
previous, next_entry = "none", 1
parts = open("checkpoints.txt", encoding="utf-8", newline="").read().split("\n\n")
demand(parts.pop() == "", "checkpoints.txt is cut")
for text, signature in zip(parts[::2], parts[1::2]):
    text += "\n"
    first_line, size, root, entries, before, closed, *rotation = text.splitlines()
    segment = len(segments) + 1
    where = "segment %d: " % segment
    name, key = public_key(verifier)
    demand(first_line == "%s/segment/%d" % (name, segment), where + "it is missing")
    signed = signature.strip("\n").split(" ")
    demand(signed[:2] == ["\u2014", name], where + "the name of its signer")
    demand(is_signed(text.encode(), base64.b64decode(signed[2])[4:], key), where + "its signature")
    demand(before == "previous " + previous, where + "its predecessor")
    first, last = map(int, entries.removeprefix("entries ").split("-"))
    demand(first == next_entry and int(size) == last - first + 1, where + "its numbers")
    segments.append((first, last, base64.b64decode(root), closed.removeprefix("closed ")))
    previous, next_entry = base64.b64encode(sha256(text.encode())).decode(), last + 1
    if rotation:
        verifier = rotation[0].removeprefix("next-key ")
        signers.append([str(segment + 1), verifier])
demand(signers == keys, "the keys in keys.txt differ from those that the checkpoints name")


# 4. The entries.
def root_of(hashes):
    while len(hashes) > 1:
        pairs = [hashes[at : at + 2] for at in range(0, len(hashes), 2)]
        hashes = [sha256(b"\x01" + b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    return hashes[0]


def root_of_path(leaf, at, size, path):
    last, root = size - 1, leaf
    for beside in path:
        demand(last > 0, "a proof that is too long")
        if at % 2 == 1 or at == last:
            root = sha256(b"\x01" + beside + root)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            root = sha256(b"\x01" + root + beside)
        at, last = at // 2, last // 2
    demand(last == 0, "a proof that is too short")
    return root


manifest = json.load(open("bundle.json", encoding="utf-8"))
here = [number for first, last in manifest["segments"] for number in range(first, last + 1)]
entries = []
if os.path.exists("proofs.ndjson"):
    proofs = lines("proofs.ndjson")
    for line in lines("entries.ndjson"):
        entry, proof = json.loads(line), json.loads(next(proofs, b"{}"))
        where = "entry %d: " % entry["seq"]
        demand(proof.get("seq") == entry["seq"], where + "it has no proof")
        first, last, root, _ = segments[proof["segment"] - 1]
        demand(first <= entry["seq"] <= last and proof["index"] == entry["seq"] - first, where + "its place")
        path = [base64.b64decode(hash) for hash in proof["path"]]
        found = root_of_path(sha256(b"\x00" + line), proof["index"], last - first + 1, path)
        demand(found == root, where + "it differs from what was signed")
        demand(not entries or entries[-1]["seq"] < entry["seq"], where + "its order")
        demand(entry.get("tenant") in (None, manifest["tenant"]), where + "it belongs to another tenant")
        entries.append(entry)
    demand(next(proofs, None) is None, "there are more proofs than entries")
else:
    rest = lines("entries.ndjson")
    for number in here:
        first, last, root, _ = segments[number - 1]
        leaves = []
        for seq in range(first, last + 1):
            line = next(rest, b"{}")
            entry = json.loads(line)
            demand(entry.get("seq") == seq, "segment %d: entry %d is missing" % (number, seq))
            leaves.append(sha256(b"\x00" + line))
            entries.append(entry)
        demand(root_of(leaves) == root, "segment %d: an entry differs from what was signed" % number)
    demand(next(rest, None) is None, "some entries belong to no segment")
demand(len(entries) == manifest["entries"], "the number of entries in bundle.json differs")

# 5. The totals, where the bundle is complete and the window has ended.
numbers = {}
sums = collections.defaultdict(lambda: [0] * 8)
whole = here == list(range(1, len(segments) + 1))
for entry in entries:
    if entry["kind"] == "heartbeat":
        number = numbers.get(entry["tenant"], 0) + 1
        demand(not whole or entry["number"] == number, "entry %d: heartbeat number" % entry["seq"])
        numbers[entry["tenant"]] = number
        for at, figure in enumerate(("request", "response", "added", "agreements")):
            seen = "seen_" + figure if at < 2 else figure
            # Numbers of agreements are absent where they are 0.
            sums[entry["window"], entry["tenant"]][at] += entry.get(seen, 0)
            sums[entry["window"], entry["tenant"]][at + 4] += entry.get("dropped_" + figure, 0)
    # Entries of the kind "guard" are in no total.
    elif entry["kind"] == "agreement":
        sums[entry["window"], entry["tenant"]][7] += entry["count"]
    elif entry["kind"] == "verdicts":
        added = entry["action"] in ("renew", "inject", "evict")
        figure = 2 if added else ("request", "response").index(entry["direction"])
        sums[entry["window"], entry["tenant"]][figure + 4] += entry["count"]
last_window = max((window for window, _ in sums), default=None)
for (window, tenant), figures in sums.items():
    if whole and window != last_window:
        demand(figures[:4] == figures[4:], "the totals of %s in the window %s" % (tenant, window))

# 6. The declarations.
for declaration in json.load(open("declarations.json", encoding="utf-8")):
    demand(sha256(declaration["json"].encode()).hex() == declaration["hash"], "a declaration")

# 7. The pages.
named = {entry["page"] + ".html" for entry in entries if entry["kind"] == "agreement"}
found = set(os.listdir("pages")) if os.path.isdir("pages") else set()
demand(named == found, "the pages that entries name differ from those in the folder")
for page in named:
    with open(os.path.join("pages", page), "rb") as file:
        demand(sha256(file.read()).hex() + ".html" == page, "the page " + page)

print("It verifies:", len(entries), "entries,", len(here), "of", len(segments), "segments, closed until", segments[-1][3])
