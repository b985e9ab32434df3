"""A gateway to a Kindred coordinator in nothing but a standard library: docs/cluster.md, "The bytes".

usage: client.py URL [SECRET_FILE] < records.jsonl    looks the records up and prints the answers
       client.py URL [SECRET_FILE] --status           prints what the coordinator says of itself
URL is tcp://HOST:PORT or unix:///PATH.
"""
import hmac, os, socket, struct, sys, time, zlib

PING, STATUS, LOOKUP = 0, 45, 60


def pack(v):  # numbers, true and false, texts, lists, and maps of these
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        return bytes([v]) if v < 128 else b"\xcf" + struct.pack(">Q", v)
    if isinstance(v, str):
        return b"\xdb" + struct.pack(">I", len(v.encode())) + v.encode()
    head, items = (0x80, [x for kv in v.items() for x in kv]) if isinstance(v, dict) else (0x90, v)
    return bytes([head | len(v)]) + b"".join(map(pack, items))


def unpack(b, i=0):  # the value at i, and where it ends
    t, i = b[i], i + 1
    if t < 0x80 or 0xc2 <= t <= 0xc3:
        return (t if t < 0x80 else t == 0xc3), i
    if t < 0xa0:  # fixmap, fixarray; longer ones do not occur in answers
        items = []
        for _ in range((t & 15) * (2 if t < 0x90 else 1)):
            v, i = unpack(b, i)
            items.append(v)
        return (dict(zip(items[::2], items[1::2])) if t < 0x90 else items), i
    if 0xcc <= t <= 0xcf:  # u8 to u64
        n = 1 << (t - 0xcc)
        return int.from_bytes(b[i:i + n], "big"), i + n
    n = t & 31 if t < 0xc0 else int.from_bytes(b[i:i + (1 << (t - 0xd9))], "big")
    i += 0 if t < 0xc0 else 1 << (t - 0xd9)
    return b[i:i + n].decode(), i + n


class Client:
    def __init__(self, url, secret=None):
        path = url[7:] if url.startswith("unix://") else None
        host, port = (None, None) if path else url[6:].rsplit(":", 1)
        self.sock = socket.socket(socket.AF_UNIX) if path else socket.create_connection((host.strip("[]"), port))
        if path:
            self.sock.connect(path)
        self.sent = self.request = 0
        key = hmac.digest(b"kindred: gateways", secret, "sha256") if secret else bytes(32)
        said = struct.pack("<4sHHIIQ32s72x", b"KINh", 1, 1, 3, 0, 0, os.urandom(32))
        self.sock.sendall(said)
        said += self.read(128)
        _, needed, status = struct.unpack_from("<HHI", said, 132)
        assert status == 0 and bool(needed & 1) == bool(secret), "refused: %d" % status
        proof = hmac.digest(key, b"kindred: dialler 1\0" + said, "sha256")
        self.sock.sendall(struct.pack("<8s32s88x", b"KINp", proof))
        said += struct.pack("<8s32s88x", b"KINp", proof)
        status, proof, self.node = struct.unpack_from("<I32s4s", self.read(128), 4)
        assert status == 0, "refused: %d" % status
        expected = hmac.digest(key, b"kindred: coordinator 1\0" + said + self.node, "sha256")
        assert hmac.compare_digest(proof, expected), "the coordinator has another secret"

    def read(self, n):
        b = b""
        while len(b) < n:
            b += self.sock.recv(n - len(b)) or sys.exit("the coordinator closed the connection")
        return b

    def send(self, kind, body=b"", payload=b""):
        head = struct.pack("<4sIIIQ", b"KINf", kind, len(body), len(payload), self.sent)
        self.sock.sendall(head + struct.pack("<Q", zlib.crc32(head + body + payload)) + body + payload)
        self.sent += 1

    def ask(self, kind, fields, payload=b"", seconds=10):  # the fields of the answer, and its payload
        self.request, until = self.request + 1, time.monotonic() + seconds
        self.send(kind, pack([{1: kind, 2: 1, 5: self.request}, fields]), payload)
        while True:
            self.sock.settimeout(max(until - time.monotonic(), 0.001))  # pings come all the time
            head = self.read(32)
            kind, n, m, _, check = struct.unpack_from("<IIIQQ", head, 4)
            rest = self.read(n + m)
            assert check == zlib.crc32(head[:24] + rest), "bytes were lost on the way"
            if kind == PING:
                self.send(PING)  # or it takes us for dead while we wait
                continue
            (envelope, fields), _ = unpack(rest[:n])
            if envelope.get(5) == self.request:
                return fields, rest[n:]


if __name__ == "__main__":
    words = [w for w in sys.argv[1:] if w != "--status"]
    client = Client(words[0], open(words[1], "rb").read().rstrip(b"\r\n") if len(words) > 1 else None)
    if "--status" in sys.argv:
        print(client.ask(STATUS, {1: 10})[1].decode())
        sys.exit()
    answer, lines = client.ask(LOOKUP, {}, sys.stdin.buffer.read(), float(os.environ.get("TIMEOUT", "10")))
    sys.stdout.buffer.write(lines)
    sys.exit("status %d: %s" % (answer[1], answer.get(2, "")) if answer.get(1) else 0)
