#!/usr/bin/env python3
"""Asks a Millrace random queries and answers them itself, by SQL over the raw files of its archive.

Needs Python 3.9 and DuckDB 2 (pip install duckdb). Prints each answer that differs with its query as JSON, the SQL, and the rows of both;
and last what was compared. The exit code is 3 if an answer differs.
"""

import argparse
import collections
import datetime
import json
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.request

import duckdb

import draw
import language

HERE = pathlib.Path(__file__).parent
STANDARD_ERRORS = 3
MOST_ROWS = 100_000  # of an answer before paging
LATENESS = {"lake": 3_600_000, "rollup": 10**12}  # a replay counts what came too late where it belongs
WORLDS = {"lake": "stream", "rollup": "replayed"}

# What the recount says that it has found, so that it is seen what was proved.
FOUND = {
    "events of people": "SELECT count(*) FROM stream.ev",
    "copies that do not count": "SELECT (SELECT count(*) FROM raw) - (SELECT count(*) FROM e)",
    "events of bots": "SELECT count(*) FROM e WHERE reason IS NOT NULL",
    "events that came too late": "SELECT count(*) FROM e WHERE received - ms > 3600000",
    "events that came after later ones of their visit": "SELECT count(*) FROM (SELECT ms < max(ms) OVER (PARTITION BY vid ORDER BY place ROWS UNBOUNDED PRECEDING) AS late "
        "FROM stream.member) WHERE late",
    "events that came before their visit's dimensions changed": "SELECT count(*) FROM stream.origin o JOIN stream.ended v USING (vid) WHERE o.origin <> v.origin",
    "visits": "SELECT count(*) FROM stream.vi",
    "visits that began at 12 hours of another": "SELECT count(DISTINCT (site, person, stay, first)) - count(DISTINCT (site, person, stay)) FROM stream.cut",
    "visits across a change of ids": "SELECT count(*) FROM (SELECT vid FROM stream.member JOIN stream.p USING (place) GROUP BY vid HAVING count(DISTINCT visitor) > 1)",
    "visits with pings": "SELECT count(*) FROM stream.ended WHERE pinged",
    "events with several goals": "SELECT count(*) FROM (SELECT place FROM stream.reach GROUP BY place HAVING count(*) > 1)",
}


class Recount:
    def __init__(self, args):
        self.args = args
        # In a file, where columns are compressed: a million events are some gigabytes otherwise.
        file = pathlib.Path(args.dir) / "recount.duckdb"
        for old in file.parent.glob(file.name + "*"):  # of a run that was killed a folder too, in which DuckDB had what did not fit into memory
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
        self.db = duckdb.connect(str(file))
        self.db.execute("SET memory_limit = '3GB'")
        self.db.execute("SET VARIABLE lake = $1", [args.lake])
        self.db.execute("SET VARIABLE facts = $1", [args.dir])
        self.db.execute((HERE / "events.sql").read_text(encoding="utf-8"))
        for source, world in WORLDS.items():
            text = (HERE / "visits.sql").read_text(encoding="utf-8")
            self.db.execute(text.replace("WORLD", world).replace("LATENESS", str(LATENESS[source])))
        self.db.execute("CREATE MACRO literal_prop(props, key) AS coalesce(literal(json_extract_string(props, key)), '(none)')")
        self.zones = {site: language.Zone(zone) for site, zone in self.ask("SELECT site, zone FROM sites")}
        self.zone_names = dict(self.ask("SELECT site, zone FROM sites"))
        self.first = dict(self.ask("SELECT site, min(ms) FROM replayed.ev GROUP BY site"))
        self.now = int(datetime.datetime.fromisoformat(args.now.replace("Z", "+00:00")).timestamp()) * 1000
        self.saw, self.worst = collections.Counter(), 0.0

    def ask(self, sql):
        return self.db.execute(sql).fetchall()

    def drawing(self):
        goals = {site: [] for site in self.zones}
        for site, goal in self.ask("SELECT DISTINCT site, goal FROM goals ORDER BY ALL"):
            goals[site].append(goal)
        values = {}

        def value(site, dim):
            """A value that a dimension has, often or seldom."""
            if (site, dim) not in values:
                c = language.Compiler("stream", site, self.zone_names[site], 0, self.now)
                table = "vi" if dim == "visit:exit_page" else "ev"
                column, _ = c.column(dim, "x", "g", False)
                join = "LEFT JOIN stream.reach g USING (place)" if dim == "event:goal" else ""
                rows = self.ask(f"SELECT {column} AS v FROM stream.{table} x {join} WHERE site = {language.quote(site)} AND v IS NOT NULL "
                                f"GROUP BY ALL ORDER BY count(*) DESC, v LIMIT 40")
                values[site, dim] = [v for v, in rows] or ["(none)"]
            list = values[site, dim]
            return list[min(self.draw.r.randrange(len(list)), self.draw.r.randrange(len(list)))]

        days = [d for d, in self.ask("SELECT DISTINCT ms // 86400000 * 86400000 FROM e ORDER BY ALL")]
        sites = [(site, int(n)) for site, n in self.ask("SELECT site, traffic FROM sites WHERE site IN (SELECT site FROM stream.ev) ORDER BY site")]
        self.draw = draw.Drawing(self.args.seed, sites, self.zones, goals, value, days, self.now, max(days) + language.DAY)
        return self.draw

    def post(self, q):
        request = urllib.request.Request(self.args.url + "/api/v2/query", json.dumps(q).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer), None
        except urllib.error.HTTPError as e:
            return None, f"status {e.code}: {e.read().decode().strip()}"

    def compare(self, number, q):
        began = time.monotonic()
        got, refused = self.post(q)
        took = time.monotonic() - began
        source = got["meta"]["source"] if got else "lake"
        zone = self.zones[q["site_id"]]
        at, to = language.bounds(q["date_range"], zone, self.now, self.first[q["site_id"]])
        visits = set(q["metrics"]) & set(language.OF_VISITS)
        if q["date_range"] == "24h" and visits and source == "rollup":
            at = at // language.QUARTER * language.QUARTER
        dims = [language.unit_of(at, to) if d == "time" else d for d in q["dimensions"]]
        c = language.Compiler(WORLDS[source], q["site_id"], self.zone_names[q["site_id"]], at, to, q.get("week_start", "monday"))
        want = language.Answer(self.ask, c, q, dims)
        rows = want.rows()
        if refused:
            if len(rows) > MOST_ROWS and "more than" in refused:
                self.saw["refused: too many rows"] += 1
                return []
            return self.tell(number, q, want, [refused])
        self.saw[source] += 1
        self.saw["rows"] += len(rows)
        if '"has_' in json.dumps(q.get("filters", [])):
            self.saw["has_done"] += 1
        if got["meta"].get("other"):
            self.saw["with (other), not compared"] += 1
            return []
        wrong = self.rows(q, got, rows, got["meta"].get("visitors_error") or 0)
        if not got["meta"]["complete"] and to <= self.now - 10 * language.MINUTE:
            wrong.append("it is not complete")
        if self.args.queries == 1:
            print(f"{json.dumps(q)}\n{source}, {took:.2f} s\n" + "\n".join(want.sql) + f"\n{got}\nrecount: {rows}")
        return self.tell(number, q, want, wrong, source) if wrong else []

    def rows(self, q, got, rows, error):
        """Compares a page of rows."""
        total, order = got["meta"]["total_rows"], self.order(q, rows)
        if total != len(order):
            keys = {tuple(r["dimensions"]) for r in got["results"]}
            lacks, more = [k for k in order if k not in keys], [k for k in keys if k not in order]
            return [f"{total} rows, the recount has {len(order)}; it lacks {lacks[:5]}, it has {more[:5]}"]
        page = q.get("pagination", {"limit": 10_000, "offset": 0})
        wrong, order = [], order[page["offset"]:page["offset"] + page["limit"]]
        if len(order) != len(got["results"]):
            return [f"{len(got['results'])} rows on the page, the recount has {len(order)}"]
        estimated = error and any(m in language.OF_VISITORS for m in q["metrics"])
        for expected, row in zip(order, got["results"]):
            key = tuple(row["dimensions"])
            if key not in rows:
                wrong.append(f"{key}: the recount has no such row")
                continue
            if key != expected and not estimated:
                wrong.append(f"{key} stands where {expected} has to")
            for m, w, g in zip(q["metrics"], rows[key], row["metrics"]):
                self.saw["numbers"] += 1
                self.saw["numbers that are not 0"] += bool(w)
                g = g["value"] if isinstance(g, dict) else g
                if w != g and not self.near(m, w, g, error):
                    wrong.append(f"{key} {m}: {g}, the recount has {w}")
        return wrong

    def near(self, metric, want, got, error):
        """Whether an estimate is as near as it has to be. A rate is one of two of them, rounded to a decimal."""
        if not error or metric not in language.OF_VISITORS or not want or got is None:
            return False
        self.saw["estimates"] += 1
        off = abs(got - want) / want
        if metric != "visitors":
            return off <= 2 * STANDARD_ERRORS * error + 0.1 / want
        self.worst = max(self.worst, off / error)
        return off <= STANDARD_ERRORS * error

    def order(self, q, rows):
        """The keys of rows in the order of the query, then of the dimensions."""
        by = q.get("order_by")
        if not by:
            times = [d for d in q["dimensions"] if d.startswith("time")]
            by = [[times[0], "asc"]] if times else [[q["metrics"][0], "desc"]]
        keys = sorted(rows)
        for name, way in reversed(by):
            if name in q["metrics"]:
                i = q["metrics"].index(name)
                value = lambda k: (rows[k][i] is not None, rows[k][i] or 0)
            else:
                i = q["dimensions"].index(name)
                value = lambda k: k[i]
            keys.sort(key=value, reverse=way == "desc")
        if "limit_by" in q:
            by, most, seen = q["limit_by"]["dimensions"], q["limit_by"]["limit"], collections.Counter()
            places = [q["dimensions"].index(d) for d in by]
            kept = []
            for k in keys:
                group = tuple(k[i] for i in places)
                seen[group] += 1
                if seen[group] <= most:
                    kept.append(k)
            keys = kept
        return keys

    def tell(self, number, q, want, wrong, source="refused"):
        print(f"query {number}, {source}, {len(wrong)} wrong: {json.dumps(q)}")
        for text in wrong[:8]:
            print("    " + text)
        print("    SQL: " + ";\n         ".join(want.sql), flush=True)
        return wrong


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--url", required=True, help="address of the API")
    p.add_argument("--dir", required=True, help="folder with what the traffic's maker knows")
    p.add_argument("--lake", required=True, help="glob of the archive's raw files")
    p.add_argument("--queries", type=int, required=True)
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--now", required=True, help="when the queries are asked")
    p.add_argument("--first", type=int, default=0, help="number of the first query; one alone is printed whole")
    args = p.parse_args()
    began = time.monotonic()
    r = Recount(args)
    for what, sql in FOUND.items():
        print(f"{r.ask(sql)[0][0]:>9} {what}")
    print(f"          found in {time.monotonic() - began:.0f} s", flush=True)
    drawing, wrong = r.drawing(), 0
    for number in range(args.first, args.first + args.queries):
        wrong += bool(r.compare(number, drawing.query(number)))
        if (number - args.first) % 100 == 99:
            print(f"{number + 1 - args.first} of {args.queries} queries, {wrong} answered wrong; {time.monotonic() - began:.0f} s", flush=True)
    saw = ", ".join(f"{n} {what}" for what, n in sorted(r.saw.items()))
    print(f"{args.queries} queries, {wrong} answered wrong: {saw}; the worst estimate {r.worst:.2f} standard errors off; {time.monotonic() - began:.0f} s")
    sys.exit(3 if wrong else 0)


if __name__ == "__main__":
    main()
