#!/usr/bin/env python3
"""Compares a Millrace that has imported files with a recount by visits.sql, which knows nothing of Millrace but its Parquet files.

Needs Python 3.9 and DuckDB (pip install duckdb). Prints each kind of question with how many numbers were equal, and the first
differences; exits with 1 if there are any. A number of visitors may differ by three standard errors of a sketch past the
size up to which it is exact enough to be equal.
"""

import argparse
import json
import math
import pathlib
import sys
import time
import urllib.error
import urllib.request

import duckdb

STANDARD_ERROR = 0.0081  # 1.04 / sqrt(2^14)
EXACT = 1000  # visitors up to which a sketch has to be right

VISITS = ["visits", "bounce_rate", "visit_duration", "views_per_visit"]
EVENTS = ["visitors", "pageviews", "events"]

DAY, HOUR = "%Y-%m-%d", "%Y-%m-%d %H:00:00"

# Dimensions of questions, with the metrics that can be asked by them.
QUESTIONS = [
    ([], EVENTS + VISITS),
    (["time:day"], EVENTS + VISITS),
    (["time:hour"], EVENTS + VISITS),
    (["visit:entry_page"], VISITS),
    (["visit:exit_page"], VISITS),
    (["event:page"], ["pageviews", "visitors"]),
    (["time:day", "visit:entry_page"], VISITS),
    (["time:day", "visit:exit_page"], VISITS),
    (["time:hour", "visit:entry_page"], VISITS),
    (["time:hour", "visit:exit_page"], VISITS),
]


class Recount:
    def __init__(self, args):
        self.url = args.url
        self.db = duckdb.connect()
        self.db.execute("SET memory_limit = '6GB'")
        self.db.execute("CREATE TABLE bots (ua VARCHAR)")
        bots = [line for line in args.bots.read_text(encoding="utf-8").split("\n") if line]
        if bots:
            self.db.executemany("INSERT INTO bots VALUES (?)", [[b] for b in bots])
        self.db.execute("SET VARIABLE lake = $1", [args.lake])
        self.db.execute(pathlib.Path(__file__).with_name("visits.sql").read_text(encoding="utf-8"))
        self.wrong = 0

    def rows(self, sql, *args):
        return self.db.execute(sql, list(args)).fetchall()

    def report(self, what, right, wrong, note=""):
        self.wrong += len(wrong)
        print(f"{what:<58} {right:>8} equal, {len(wrong)} different{note}", flush=True)
        for text in wrong[:5]:
            print("    " + text)

    def site(self, site, zone):
        days = self.rows(
            f"SELECT strftime(min(timezone(?, ts)), '{DAY}'), strftime(max(timezone(?, ts)), '{DAY}') FROM e WHERE site = ?",
            zone, zone, site)[0]
        for dims, metrics in QUESTIONS:
            want = self.want(site, zone, dims, metrics)
            got = self.ask(site, list(days), dims, metrics)
            self.compare(f"{site}: {', '.join(dims) or 'in all'}", metrics, want, got)

    def want(self, site, zone, dims, metrics):
        """Returns the numbers by the values of the dimensions."""
        out = {}
        columns = lambda times: ", ".join(
            {"time:day": f"strftime(timezone($zone, {times}), '{DAY}')", "time:hour": f"strftime(timezone($zone, {times}), '{HOUR}')",
             "visit:entry_page": "coalesce(entry_page, '(none)')", "visit:exit_page": "coalesce(exit_page, '(none)')", "event:page": "page"}[d] for d in dims)
        def add(sql, times, names):
            group = columns(times)
            args = {"site": site}
            if "$zone" in group:
                args["zone"] = zone
            query = f"SELECT {group + ', ' if dims else ''} {sql} AND site = $site {'GROUP BY ALL' if dims else ''}"
            for row in self.db.execute(query, args).fetchall():
                out.setdefault(row[: len(dims)], {}).update(zip(names, row[len(dims):]))
        if "visits" in metrics:
            add("count(*), coalesce(count(*) FILTER (bounced), 0), coalesce(sum(seconds), 0), coalesce(sum(views), 0) FROM visits WHERE true",
                "make_timestamptz(began * 1000)", ["visits", "bounces", "seconds", "views"])
        if "visitors" in metrics:
            add("count(DISTINCT visitor), count(*) FILTER (is_view), count(*) FROM e WHERE true", "ts",
                ["visitors", "pageviews", "events"])
        return out

    def ask(self, site, days, dims, metrics):
        out, size = {}, 10_000
        while True:
            q = {"site_id": site, "metrics": metrics, "date_range": days, "dimensions": dims,
                 "pagination": {"limit": size, "offset": len(out)}}
            page = self.post(q)["results"]
            for row in page:
                out[tuple(row["dimensions"])] = dict(zip(metrics, row["metrics"]))
            if len(page) < size:
                return out

    def post(self, q):
        request = urllib.request.Request(self.url + "/api/v2/query", json.dumps(q).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            sys.exit(f"{q}: status {e.code}: {e.read().decode()}")

    def compare(self, what, metrics, want, got):
        right, wrong, estimates, worst = 0, [], 0, 0.0
        for key in sorted(want.keys() | got.keys()):
            for m in metrics:
                w, g = told(m, want.get(key, {})), got.get(key, {}).get(m, 0)
                if m == "visitors" and w > EXACT:
                    estimates += 1
                    errors = abs(g - w) / (STANDARD_ERROR * w)
                    worst = max(worst, errors)
                    if errors > 3:
                        wrong.append(f"{key} {m}: {g}, the recount has {w} ({errors:.1f} standard errors)")
                    continue
                if w == g:
                    right += 1
                else:
                    wrong.append(f"{key} {m}: {g}, the recount has {w}")
        note = f"; {estimates} estimates, {worst:.2f} standard errors at most" if estimates else ""
        self.report(what, right, wrong, note)

    def points(self, path):
        """Compares the store's windows of visits, before any rounding: quarter by quarter, the sums themselves."""
        self.db.execute("CREATE TABLE point AS FROM read_csv(?, header = true, all_varchar = true)", [str(path)])
        for family, value in [("totals", "''"), ("entry_page", "entry_page"), ("exit_page", "exit_page")]:
            both = self.rows(f"""
                WITH w AS (SELECT site, began // 900000 * 900000 AS start, {value} AS value, count(*) AS visits,
                             count(*) FILTER (bounced) AS bounces, sum(seconds)::BIGINT AS seconds, sum(views)::BIGINT AS views
                           FROM visits WHERE {value} IS NOT NULL GROUP BY ALL),
                  g AS (SELECT site, start::BIGINT AS start, coalesce(value, '') AS value, visits::BIGINT AS visits,
                          bounces::BIGINT AS bounces, seconds::BIGINT AS seconds, views::BIGINT AS views
                        FROM point WHERE family = '{family}' AND (visits, bounces, seconds, views) != ('0', '0', '0', '0'))
                SELECT coalesce(w.site, g.site) || ' ' || make_timestamptz(coalesce(w.start, g.start) * 1000)::VARCHAR || ' ' || coalesce(w.value, g.value),
                  (g.visits, g.bounces, g.seconds, g.views)::VARCHAR, (w.visits, w.bounces, w.seconds, w.views)::VARCHAR
                FROM w FULL JOIN g USING (site, start, value) ORDER BY 1""")
            wrong = [f"{k}: {g}, the recount has {w}" for k, g, w in both if g != w]
            self.report(f"windows of visits: {family}", len(both) - len(wrong), wrong)


def rounded(a, b, scale):
    """a / b, rounded to 1 / scale, halves to the even digit; nothing if b is 0."""
    if not b:
        return None
    whole, rest = divmod(int(a) * scale, b)
    return (whole + (2 * rest > b or 2 * rest == b and whole % 2 == 1)) / scale


def told(metric, sums):
    """What the API makes of sums: whole percent and seconds, views per visit to two decimal places; without visits nothing."""
    n = sums.get("visits", 0)
    if metric == "bounce_rate":
        return rounded(100 * sums.get("bounces", 0), n, 1)
    if metric == "visit_duration":
        return rounded(sums.get("seconds", 0), n, 1)
    if metric == "views_per_visit":
        return rounded(sums.get("views", 0), n, 100)
    return sums.get(metric, 0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--lake", required=True, help="glob of the archive's Parquet files")
    p.add_argument("--bots", required=True, type=pathlib.Path, help="file with the user agents of bots, one a line")
    p.add_argument("--url", required=True, help="address of millrace serve")
    p.add_argument("--site", required=True, action="append", metavar="SITE=ZONE", help="a site and its time zone")
    p.add_argument("--points", type=pathlib.Path, help="CSV of the store's windows of visits: site, start, family, value, visits, bounces, seconds, views")
    args = p.parse_args()
    began = time.monotonic()
    r = Recount(args)
    events, people = r.rows("SELECT (SELECT count(*) FROM e), (SELECT count(*) FROM (SELECT DISTINCT site, person FROM person))")[0]
    visits, bounces, seconds, longest, cut = r.rows(
        "SELECT count(*), count(*) FILTER (bounced), sum(seconds), max(seconds), count(*) FILTER (part > 0) FROM visits")[0]
    midnight = r.rows("""SELECT count(*) FROM (SELECT 1 FROM stay GROUP BY site, person, stay
                         HAVING count(DISTINCT visitor) > 1)""")[0][0]
    print(f"recount: {events} events, {visits} visits, {bounces} bounces, {seconds} s, the longest {longest} s, "
          f"{cut} of visits cut at 12 hours, {midnight} across a change of ids; {time.monotonic() - began:.0f} s")
    if args.points:
        r.points(args.points)
    for s in args.site:
        r.site(*s.split("=", 1))
    print(f"{r.wrong} differences, {time.monotonic() - began:.0f} s")
    sys.exit(r.wrong > 0)


if __name__ == "__main__":
    main()
