#!/usr/bin/env python3
"""What the tests of live operation ask over HTTP, and check. Standard library only.

  live_client.py traffic HOST:PORT PEOPLE.csv SEED STOP STATE
      writes records of the source `live` and looks them up until the file STOP is there; then STATE
      is what has been acknowledged, and FEED is what the change feed has told (STATE.feed)
  live_client.py verify HOST:PORT STATE OUT.csv
      nothing that was acknowledged is lost or has come back; OUT.csv are the records that are there
  live_client.py replay FEED MEMBERS
      FEED is numbered without a gap; MEMBERS is what its events lead to: source,id,match_id
  live_client.py members HOST:PORT WORKFLOW MEMBERS EVERY
      each EVERY-th record of MEMBERS is answered with that MatchId, and their counts are the status's
  live_client.py flood HOST:PORT PEOPLE.csv
      many large lookups at once: each record is found, and no answer is partial
  live_client.py partition A B
      two CSVs that begin with source,id,match_id have the same groups (same: and the same MatchIds)
  live_client.py same A B
Exit status 1, and what is wrong on stderr, 20 lines at most.
"""
import csv
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse

ATTEMPT_SECONDS = 60
FLOOD_REQUESTS = 24
wrong_lock = threading.Lock()
wrong_count = 0


def wrong(text):
    global wrong_count
    with wrong_lock:
        wrong_count += 1
        if wrong_count <= 20:
            print("WRONG: " + text, file=sys.stderr, flush=True)


class Unanswered(Exception):
    """No answer, or one that says: again later."""


class Server:
    """One connection, made anew when it is lost. Not to be shared among threads."""

    def __init__(self, address):
        self.address = address
        self.connection = None

    def ask(self, method, path, body=None):
        """Status, headers, body; Unanswered where the server is not there, or too busy."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.address, timeout=30)
            headers = {"Accept": "application/jsonl"}
            if body is not None:
                headers["Content-Type"] = "application/jsonl"
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise Unanswered(repr(error)) from error
        if response.status in (429, 503, 504):
            raise Unanswered("%d %s" % (response.status, answer))
        return response.status, response.headers, answer

    def patiently(self, method, path, body=None):
        end = time.monotonic() + ATTEMPT_SECONDS
        while True:
            try:
                return self.ask(method, path, body)
            except Unanswered as error:
                if time.monotonic() > end:
                    wrong("%s %s: not answered in %d s: %s" % (method, path, ATTEMPT_SECONDS, error))
                    raise
                time.sleep(0.05)

    def lookup(self, records):
        """The answers, and whether they may be incomplete."""
        body = "".join(json.dumps(r) + "\n" for r in records)
        status, headers, answer = self.ask("POST", "/v1/-/lookup", body)
        if status != 200:
            wrong("lookup: %d %s" % (status, answer))
            raise Unanswered("lookup")
        lines = [json.loads(line) for line in answer.splitlines()]
        if len(lines) != len(records):
            wrong("lookup: %d answers for %d records" % (len(lines), len(records)))
        partial = headers.get("Kindred-Partial") == "true"
        return lines, partial


def record_path(source, record_id):
    return "/v1/-/records/%s/%s" % (source, urllib.parse.quote(record_id, safe=""))


# ---- traffic ----

class Record:
    """One record of the source `live`: what was acknowledged of it, and what may be there besides."""

    def __init__(self, name):
        self.name = name
        self.version = 0
        self.certain = None  # a row, or None: it is not there
        self.possible = []  # rows (or None) of requests that were never answered
        self.applied = False  # an answer has said that lookups see it
        self.busy = False  # a request is under way
        self.stamp = 0  # counts the changes of all that


def email_of(record, version):
    return "%s.v%d@live.example" % (record.name, version)


class Traffic:
    WRITERS, READERS, EACH = 4, 2, 400

    def __init__(self, address, people, seed, stop):
        self.address, self.people, self.seed, self.stop = address, people, seed, stop
        self.lock = threading.Lock()
        self.records = [[Record("w%d-%d" % (w, i)) for i in range(self.EACH)] for w in range(self.WRITERS)]
        self.counts = {"acknowledged": 0, "unanswered": 0, "looked_up": 0, "partial": 0, "not_looked_up": 0}
        self.feed = []

    def stopped(self):
        return os.path.exists(self.stop)

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] += n

    def row(self, record, chance):
        """A version of a record: somebody of the people, with an e-mail address of its own."""
        record.version += 1
        person = chance.choice(self.people)
        row = {k: person[k] for k in ("first_name", "last_name", "dob", "phone", "postcode")}
        if chance.random() < 0.3:
            row["last_name"] = chance.choice(self.people)["last_name"]
        row["id"] = record.name
        row["email"] = email_of(record, record.version)
        return row

    def write(self, number):
        chance, server = random.Random(self.seed * 100 + number), Server(self.address)
        while not self.stopped():
            records = chance.sample(self.records[number], chance.choice((1, 1, 5, 20)))
            rows = []
            with self.lock:
                for record in records:
                    record.busy = True
                    record.stamp += 1
                    here = record.certain is not None or record.possible
                    rows.append(None if here and chance.random() < 0.3 else self.row(record, chance))
            body = "".join(json.dumps(row or {"id": record.name, "DELETE": "true"}) + "\n"
                           for record, row in zip(records, rows))
            wait = chance.random() < 0.7
            attempts = chance.choice((1, 1000))
            answers = None
            while answers is None and attempts:
                attempts -= 1
                try:
                    answers = self.put(server, body, wait, records)
                except Unanswered:
                    self.count("unanswered")
                    time.sleep(0.02)
            self.note(records, rows, answers, wait)
            time.sleep(chance.random() * 0.02)

    def put(self, server, body, wait, records):
        status, _, answer = server.ask("POST", "/v1/-/records/live" + ("?wait=1" if wait else ""), body)
        lines = [json.loads(line) for line in answer.splitlines()] if status == 200 else []
        if status != 200 or [line.get("id") for line in lines] != [r.name for r in records]:
            wrong("put: %d %s" % (status, answer[:300]))
            raise Unanswered("put")
        outcomes = ("created", "updated", "deleted", "unknown") if wait else ("accepted",)
        for line in lines:
            if line["outcome"] not in outcomes:
                wrong("put: %s" % line)
        return lines

    def note(self, records, rows, answers, wait):
        with self.lock:
            for record, row in zip(records, rows):
                record.stamp += 1
                record.busy = False
                if answers is None:
                    record.possible.append(row)
                    record.applied = False
                else:
                    record.certain, record.possible, record.applied = row, [], wait
        if answers is not None:
            self.count("acknowledged", len(rows))

    def read(self, number):
        chance, server = random.Random(self.seed * 100 + 50 + number), Server(self.address)
        mine = [p for p in self.people if p["email"]]
        while not self.stopped():
            with self.lock:
                asked = [(r, r.stamp, r.certain, r.version) for r in
                         chance.sample([r for w in self.records for r in w], 60)
                         if r.applied and not r.busy][:10]
            # what never changes has to be found, and earlier versions not
            steady = chance.sample(mine, 5)
            emails = [email_of(r, v) for r, _, _, v in asked] + [p["email"] for p in steady]
            emails += [email_of(r, v - 1) for r, _, _, v in asked]
            try:
                answers, partial = server.lookup([{"email": e} for e in emails])
            except Unanswered:
                self.count("not_looked_up")
                time.sleep(0.02)
                continue
            with self.lock:
                still = [r.stamp == stamp for r, stamp, _, _ in asked]
            now, people, before = answers[:len(asked)], answers[len(asked):-len(asked) or None], \
                answers[len(answers) - len(asked):]
            for (record, _, row, _), line, old, is_still in zip(asked, now, before, still):
                if is_still:
                    self.check(record, row, line, old, partial)
            for person, line in zip(steady, people):
                if not line.get("match_id") and not (partial or line.get("partial")):
                    wrong("a record that was always there is not found: %s: %s" % (person["email"], line))
            self.count("looked_up", len(emails))
            self.count("partial", len(emails) if partial else 0)
            time.sleep(0.005)

    @staticmethod
    def check(record, row, line, old, partial):
        found = (line.get("source"), line.get("id")) == ("live", record.name)
        if row is None and line.get("match_id"):
            wrong("%s was deleted, and is answered %s" % (record.name, line))
        elif row is not None and not found and not (partial or line.get("partial")):
            wrong("%s is there as %s, and is answered %s" % (record.name, row["email"], line))
        if old.get("match_id"):
            wrong("an earlier version of %s is answered %s" % (record.name, old))

    def follow(self):
        server = Server(self.address)
        while not self.stopped():
            try:
                after = json.loads(self.feed[-1])["seq"] if self.feed else 0
                self.feed += read_feed(server, after, 500)
            except Unanswered:
                time.sleep(0.05)

    def run(self):
        threads = [threading.Thread(target=self.write, args=(n,)) for n in range(self.WRITERS)]
        threads += [threading.Thread(target=self.read, args=(n,)) for n in range(self.READERS)]
        threads.append(threading.Thread(target=self.follow))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def read_feed(server, after, wait_ms):
    """The lines of one page as they came."""
    status, _, answer = server.ask("GET", "/v1/-/changes?after=%d&limit=10000&wait_ms=%d" % (after, wait_ms))
    if status != 200:
        wrong("changes: %d %s" % (status, answer))
        raise Unanswered("changes")
    return answer.decode().splitlines()


def traffic(address, people, seed, stop, state):
    with open(people, newline="", encoding="utf-8") as file:
        t = Traffic(address, list(csv.DictReader(file)), int(seed), stop)
    t.run()
    with open(state, "w", encoding="utf-8") as file:
        json.dump([{"name": r.name, "version": r.version, "certain": r.certain, "possible": r.possible}
                   for w in t.records for r in w if r.version], file)
    with open(state + ".feed", "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in t.feed))
    print(", ".join("%s %d" % (what.replace("_", " "), n) for what, n in t.counts.items()))


# ---- what is there in the end ----

def verify(address, state, out):
    server = Server(address)
    with open(state, encoding="utf-8") as file:
        records = json.load(file)
    there = []
    for at in range(0, len(records), 50):
        some = records[at:at + 50]
        versions = [(r, v) for r in some for v in range(1, r["version"] + 1)]
        hits = {}
        for start in range(0, len(versions), 500):
            part = versions[start:start + 500]
            answers, partial = server.lookup([{"email": "%s.v%d@live.example" % (r["name"], v)} for r, v in part])
            if partial:
                wrong("answers are partial, and nothing is going on")
            for (r, v), line in zip(part, answers):
                if line.get("match_id"):
                    hits.setdefault(r["name"], []).append((v, line))
        for r in some:
            row = check_record(server, r, hits.get(r["name"], []))
            if row:
                there.append(row)
    columns = ("id", "first_name", "last_name", "dob", "email", "phone", "postcode")
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(there)
    print("%d of %d records are there" % (len(there), len(records)))


def check_record(server, record, hits):
    """The row that is there of a record; None where there is none."""
    name = record["name"]
    status, _, answer = server.ask("GET", record_path("live", name))
    allowed = [record["certain"]] + record["possible"]
    if len(hits) > 1 or (status == 200) != (len(hits) == 1):
        wrong("%s: record %d, found by the addresses %s" % (name, status, hits))
        return None
    if not hits:
        if None not in allowed:
            wrong("%s is lost: %s" % (name, allowed))
        return None
    version, line = hits[0]
    if (line["source"], line["id"]) != ("live", name) or line["match_id"] != json.loads(answer)["match_id"]:
        wrong("%s: lookup says %s, the record %s" % (name, line, answer))
    for row in allowed:
        if row and row["email"] == "%s.v%d@live.example" % (name, version):
            return row
    wrong("%s has version %d, acknowledged or possible were %s" % (name, version, allowed))
    return None


# ---- the feed ----

def replay(feed, members):
    of_record, of_id, batch, last = {}, {}, 0, 0
    with open(feed, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            event = json.loads(line)
            kind, group = event["event"], event["match_id"]
            if event["seq"] != number:
                wrong("line %d of the feed has seq %d" % (number, event["seq"]))
                return
            if event["batch"] != batch:
                consistent(of_record, of_id, batch)
                if event["batch"] < batch:
                    wrong("batch %d after batch %d" % (event["batch"], batch))
                batch = event["batch"]
            records = {(r["source"], r["id"]) for r in event.get("records", ())}
            last = number
            if kind in ("created", "joined"):
                of_id.setdefault(group, set()).update(records)
                of_record.update((r, group) for r in records)
            elif kind == "left":
                of_id.get(group, set()).difference_update(records)
                for record in records:
                    if of_record.get(record) == group:
                        del of_record[record]
            elif kind == "retired":
                of_id.pop(group, None)
    consistent(of_record, of_id, batch)
    with open(members, "w", encoding="utf-8") as file:
        file.write("source,id,match_id\n")
        file.writelines("%s,%s,%s\n" % (*record, of_record[record]) for record in sorted(of_record))
    print("%d events of %d batches: %d records in %d groups" % (last, batch, len(of_record), len(of_id)))


def consistent(of_record, of_id, batch):
    """Both ways of following the feed lead to the same. Cheap enough: the sizes, unless they differ."""
    if sum(map(len, of_id.values())) != len(of_record):
        wrong("after batch %d records by id and ids by record differ" % batch)


def read_members(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["source"], row["id"]): row["match_id"] for row in csv.DictReader(file)}


def members(address, workflow, path, every):
    server, expected = Server(address), read_members(path)
    for (source, name), match_id in sorted(expected.items())[::int(every)]:
        status, _, answer = server.patiently("GET", record_path(source, name))
        if status != 200 or json.loads(answer)["match_id"] != match_id:
            wrong("%s/%s: %d %s, not of %s" % (source, name, status, answer[:200], match_id))
    live = [w for w in json.loads(server.patiently("GET", "/v1/status")[2])["live"] if w["workflow"] == workflow]
    counts = (len(expected), len(set(expected.values())))
    if not live or (live[0]["records"], live[0]["groups"]) != counts:
        wrong("status has %s, not %d records in %d groups" % (live, *counts))


def flood(address, people):
    with open(people, newline="", encoding="utf-8") as file:
        emails = [row["email"] for row in csv.DictReader(file) if row["email"]]
    body = "".join(json.dumps({"email": emails[i % len(emails)]}) + "\n" for i in range(4000))
    together = threading.Barrier(FLOOD_REQUESTS)

    def ask():
        server = Server(address)
        server.ask("GET", "/healthz")
        together.wait()
        status, headers, answer = server.ask("POST", "/v1/-/lookup", body)
        lost, partial = answer.count(b'"match_id":null'), headers.get("Kindred-Partial")
        if status != 200 or partial or lost:
            wrong("%d, %d of 4,000 records are not found%s" % (status, lost, ", partial" if partial else ""))

    threads = [threading.Thread(target=ask) for _ in range(FLOOD_REQUESTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def groups(ids):
    by_id = {}
    for record, match_id in ids.items():
        by_id.setdefault(match_id, []).append(record)
    return {tuple(sorted(group)) for group in by_id.values()}


def partition(path_a, path_b):
    a, b = groups(read_members(path_a)), groups(read_members(path_b))
    for group in sorted(a ^ b)[:10]:
        wrong("only in %s: %s" % (path_a if group in a else path_b, group))
    print("%d groups, %d of two or more" % (len(a), sum(len(g) > 1 for g in a)))


def same(path_a, path_b):
    a, b = read_members(path_a), read_members(path_b)
    for record in sorted(record for record in a.keys() | b.keys() if a.get(record) != b.get(record))[:10]:
        wrong("%s/%s: %s in %s, %s in %s" % (*record, a.get(record), path_a, b.get(record), path_b))


if __name__ == "__main__":
    commands = {f.__name__: f for f in (traffic, verify, replay, members, flood, partition, same)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
    if wrong_count:
        sys.exit("%d things are wrong" % wrong_count)
