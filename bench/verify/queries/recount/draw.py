"""Draws queries that have an answer, by the rules of docs/questions.md about what goes together."""

import datetime
import random

from language import COLUMNS, COUNTS, DAY, MINUTE, OF_EVENTS, OF_VISITS, QUARTER, RATES, TIMES, WEEKDAYS, leaves, single

METRICS = OF_EVENTS + OF_VISITS
RELATIVE = ["day", "24h", "7d", "28d", "30d", "91d", "month", "6mo", "12mo", "year", "all"]
PROPS = ["author", "content type", "plan", "variant", "nothing"]
DIMS = [d for d in COLUMNS if d != "event:bot_reason"] + ["event:goal"] + ["event:props:" + p for p in PROPS]
RARE = ["event:props:nothing", "visit:region_name", "visit:city_name"]
OPS = ["is", "is", "is", "is_not", "contains", "contains_not", "matches", "matches_not"]
MEANS = ["bounce_rate", "views_per_visit", "visit_duration"]


class Drawing:
    def __init__(self, seed, sites, zones, goals, value, days, now, last):
        """Value returns a value that a dimension of a site has; days are some that have traffic, ms."""
        self.seed, self.r = seed, random.Random()
        self.sites, self.zones, self.goals, self.value, self.days, self.now, self.last = sites, zones, goals, value, days, now, last

    def query(self, number):
        """A query, which its number and the seed alone decide."""
        self.r.seed(f"{self.seed} {number}")
        while True:
            q = self.one(number)
            if self.answered(q):
                return q

    def one(self, number):
        r = self.r
        names, weights = zip(*self.sites)
        q = {"site_id": r.choice(names) if r.random() < 0.5 else r.choices(names, weights)[0]}
        q["metrics"] = r.sample(METRICS, r.choice([1, 2, 2, 3, 4, 12]))
        kind = 1 if number % 2 == 0 else r.random()
        if kind < 0.1: # of bots
            q["metrics"] = r.sample(["visitors", "pageviews", "events"], r.randint(1, 3))
            q["dimensions"] = r.sample(["event:bot_reason", r.choice(TIMES[1:])], r.randint(1, 2))
            if "event:bot_reason" not in q["dimensions"]:
                q["filters"] = [["is_not", "event:bot_reason", ["search engine"]]]
        elif kind < 0.5: # that rollups may hold
            q["dimensions"] = self.dims(r.randint(0, 1)) + r.sample(TIMES[1:], r.randint(0, 1))
            if r.random() < 0.3:
                q["filters"] = [self.leaf(q["site_id"], r.choice(q["dimensions"] or DIMS))]
        else:
            q["dimensions"] = self.dims(r.randint(1, 4))
            if r.random() < 0.3:
                q["dimensions"][r.randrange(len(q["dimensions"]))] = r.choice(TIMES + ["time"])
            q["filters"] = [self.filter(q["site_id"], r.randint(0, 4)) for _ in range(r.randint(0, 2))]
            if number % 2 == 0:
                q["filters"].append([r.choice(["has_done", "has_not_done"]), self.filter(q["site_id"], r.randint(0, 2), done=True)])
            r.shuffle(q["filters"])
        q["date_range"] = self.range(q)
        self.more(q)
        return q

    def dims(self, n):
        list = []
        while len(list) < n:
            d = self.r.choice(DIMS)
            if d not in list and (d not in RARE or self.r.random() < 0.3):
                list.append(d)
        return list

    def filter(self, site, depth, done=False):
        r = self.r
        if depth == 0:
            return self.leaf(site, r.choice([d for d in DIMS if not (done and d == "visit:exit_page")]), done)
        kind = r.random()
        if kind < 0.4:
            return [r.choice(["and", "or"]), [self.filter(site, depth - 1, done) for _ in range(r.randint(1, 3))]]
        if kind < 0.6:
            return ["not", self.filter(site, depth - 1, done)]
        if kind < 0.75 and not done:
            return [r.choice(["has_done", "has_not_done"]), self.filter(site, depth - 1, True)]
        return self.filter(site, depth - 1, done)

    def leaf(self, site, dim, done=False):
        r = self.r
        if dim in TIMES or dim == "time" or dim == "event:bot_reason":
            dim = "visit:device"
        op = r.choice(OPS)
        clauses = []
        for _ in range(r.choice([1, 1, 2, 3])):
            v = r.choice(self.goals[site]) if dim == "event:goal" and self.goals[site] else self.value(site, dim)
            if op.startswith("contains"):
                at = r.randrange(len(v))
                v = v[at:at + 1 + r.randrange(5)].strip(" ./%&?()\\") or "e"
                if dim == "event:goal": # a part of none would be refused
                    v = r.choice(self.goals[site] or ["e"])[:r.randint(1, 4)]
            elif op.startswith("matches"):
                v = "" if dim == "event:goal" else "^.{0,%d}[%sM-Z(]" % (r.randint(0, 4), r.choice("abcdefgprs/13"))
            clauses.append(v)
        if op in ("is", "is_not") and dim.startswith("visit:") and r.random() < 0.1:
            clauses.append(r.choice(["", "(not set)", "(none)"]))
        f = [op, dim, clauses]
        if r.random() < 0.15:
            f.append({"case_sensitive": r.random() < 0.3})
            if op in ("is", "is_not") and not f[3]["case_sensitive"]:
                f[2] = [c.swapcase() if dim in ("visit:browser", "visit:channel", "visit:source", "event:name") else c for c in clauses]
        return f

    def range(self, q):
        r = self.r
        minutes = "time:minute" in q["dimensions"]
        kind = r.random()
        if kind < 0.15 and not minutes:
            return r.choice(RELATIVE)
        zone = self.zones[q["site_id"]]
        at = r.choice(self.days) + r.randrange(DAY)
        length = r.choice([DAY // 4, 2 * DAY, 9 * DAY, 40 * DAY, 100 * DAY, 400 * DAY])
        length = min(length, 9 * DAY) if minutes else length
        at -= r.randrange(length)
        to = min(at + length, self.last)
        at = min(at, to - 1)
        if kind < 0.6:
            return [zone.local(at).date().isoformat(), zone.local(to).date().isoformat()]
        step = r.choice([1000, MINUTE, QUARTER, QUARTER, 60 * MINUTE])
        at, to = at // step * step, to // step * step + step - 1000
        return [zone.local(at).isoformat(), zone.local(max(at, to)).isoformat()]

    def more(self, q):
        r = self.r
        if r.random() < 0.3:
            by = q["metrics"] + q["dimensions"]
            q["order_by"] = [[by.pop(r.randrange(len(by))), r.choice(["asc", "desc"])] for _ in range(min(len(by), r.randint(1, 2)))]
        if r.random() < 0.2:
            q["pagination"] = {"limit": r.randint(1, 20), "offset": r.randint(0, 10)}
        if "time:week" in q["dimensions"] and r.random() < 0.5:
            q["week_start"] = r.choice(WEEKDAYS)
        if len(q["dimensions"]) > 1 and r.random() < 0.15:
            q["limit_by"] = {"dimensions": [r.choice(q["dimensions"])], "limit": r.randint(1, 3)}
        q["include"] = {"total_rows": True}

    def answered(self, q):
        """Whether what is asked goes together."""
        metrics, dims, f = q["metrics"], q["dimensions"], ["and", q.get("filters", [])]
        conditions = list(leaves(f))
        of = dims + [leaf[1] for leaf in conditions]
        visits, events = set(metrics) & set(OF_VISITS), set(metrics) & set(OF_EVENTS)
        goal_filters = [leaf for leaf in conditions if leaf[1] == "event:goal"]
        if len([d for d in dims if d.startswith("time")]) > 1:
            return False
        if not dims and set(metrics) & {"percentage", "group_conversion_rate"}:
            return False
        if set(metrics) & set(RATES) and "event:goal" not in of:
            return False
        if set(metrics) & set(COUNTS) and "event:goal" not in dims and goal_filters and not self.one_goal(f):
            return False
        if "visit:exit_page" in of and events:
            return False
        if set(metrics) & set(MEANS) and any(d.startswith("event:") and d != "event:page" for d in dims):
            return False
        if visits and any(single(d) or d == "event:bot_reason" for d in dims):
            return False
        if set(metrics) & set(RATES) and not all(self.apart(sub) for sub in f[1]):
            return False
        if not self.goals[q["site_id"]] and any(leaf[1] == "event:goal" for leaf in leaves(f, True)):
            return False
        return True

    def one_goal(self, f):
        if f[0] == "is":
            return f[1] == "event:goal" and len(f[2]) == 1 and (len(f) < 4 or f[3]["case_sensitive"])
        return f[0] == "and" and any(self.one_goal(sub) for sub in f[1])

    def apart(self, f):
        """Whether goals and other conditions are not mixed."""
        if f[0] == "and":
            return all(self.apart(sub) for sub in f[1])
        kinds = {leaf[1] == "event:goal" or leaf[1].startswith("event:props:") for leaf in leaves(f)}
        return len(kinds) < 2
