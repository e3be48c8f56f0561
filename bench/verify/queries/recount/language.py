"""The query language as SQL over the tables of events.sql and visits.sql, by its description (docs/questions.md, query/doc.go)."""

import datetime
import re
import zoneinfo
from decimal import Decimal
from fractions import Fraction

UTC = datetime.timezone.utc
MINUTE, QUARTER, HOUR, DAY = 60_000, 900_000, 3_600_000, 86_400_000

OF_EVENTS = ["visitors", "pageviews", "events", "percentage", "conversion_rate", "group_conversion_rate", "total_revenue", "average_revenue"]
OF_VISITS = ["visits", "views_per_visit", "bounce_rate", "visit_duration"]
OF_VISITORS = ["visitors", "percentage", "conversion_rate", "group_conversion_rate"]
COUNTS = ["pageviews", "events", "total_revenue", "average_revenue"]
RATES = ["conversion_rate", "group_conversion_rate"]

# Columns of the tables, by the dimension.
COLUMNS = {"event:page": "page", "event:hostname": "hostname", "event:name": "name", "event:bot_reason": "reason"}
for name in ("entry_page exit_page source referrer channel utm_source utm_medium utm_campaign utm_content utm_term device screen browser browser_version "
             "os os_version language country country_name region city").split():
    COLUMNS["visit:" + name] = name
COLUMNS["visit:region_name"], COLUMNS["visit:city_name"] = "region", "city"

TIMES = ["time:minute", "time:hour", "time:day", "time:week", "time:month", "time:quarter", "time:year"]
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def single(dim):
    """Whether a dimension is one of each event, also where visits are counted."""
    return dim in ("event:name", "event:goal") or dim.startswith("event:props:")


def leaves(f, within_done=False):
    """The conditions of a filter; those of other events only if asked for."""
    if f[0] in ("and", "or"):
        for sub in f[1]:
            yield from leaves(sub, within_done)
    elif f[0] == "not":
        yield from leaves(f[1], within_done)
    elif f[0] in ("has_done", "has_not_done"):
        if within_done:
            yield from leaves(f[1], within_done)
    else:
        yield f


class Zone:
    def __init__(self, name):
        self.zone = zoneinfo.ZoneInfo(name)

    def local(self, ms):
        return datetime.datetime.fromtimestamp(ms // 1000, self.zone)

    def day(self, date):
        """The first instant of a calendar day."""
        at = datetime.datetime(date.year, date.month, date.day, tzinfo=self.zone)
        ms = int(at.timestamp()) * 1000
        if self.local(ms).date() == date and self.local(ms).hour == 0 and self.local(ms - MINUTE).date() < date:
            return ms
        for ms in range(ms - 3 * HOUR, ms + 3 * HOUR, MINUTE):
            if self.local(ms).date() == date:
                return ms
        raise ValueError(f"{date} is no day of {self.zone}")


def add_months(date, n):
    month = date.year * 12 + date.month - 1 + n
    return datetime.date(month // 12, month % 12 + 1, 1)


def bounds(text, zone, now, first):
    """The range of a query, [from, to), in ms. First is the first event of the site."""
    if isinstance(text, list):
        if len(text[0]) == 10:
            days = [datetime.date.fromisoformat(t) for t in text]
            return zone.day(days[0]), zone.day(days[1] + datetime.timedelta(days=1))
        at = [int(datetime.datetime.fromisoformat(t).timestamp()) * 1000 for t in text]
        return at[0] // MINUTE * MINUTE, -(-(at[1] + 1000) // MINUTE) * MINUTE
    to = now // MINUTE * MINUTE + MINUTE
    today = zone.local(now).date()
    back = {"day": 0, "7d": 6, "28d": 27, "30d": 29, "91d": 90}
    if text == "24h":
        return to - 24 * HOUR, to
    if text in back:
        return zone.day(today - datetime.timedelta(days=back[text])), to
    if text == "all":
        return zone.day(zone.local(first).date()), to
    months = {"month": 0, "6mo": -5, "12mo": -11, "year": 1 - today.month}
    return zone.day(add_months(today, months[text])), to


def unit_of(at, to):
    """The unit of the dimension time."""
    length = to - at
    if length <= 48 * HOUR:
        return "time:hour"
    if length <= 40 * DAY:
        return "time:day"
    return "time:week" if length <= 53 * 7 * DAY else "time:month"


class Compiler:
    """Makes SQL of queries of one world."""

    def __init__(self, world, site, zone, at, to, week_start="monday"):
        self.world, self.site, self.zone, self.at, self.to = world, site, zone, at, to
        self.shift = f"INTERVAL {WEEKDAYS.index(week_start)} DAY"

    def time(self, dim, alias):
        local = f"timezone({quote(self.zone)}, make_timestamptz({alias}.ms * 1000))"
        if dim == "time:week":
            return f"strftime(date_trunc('week', {local} - {self.shift}) + {self.shift}, '%Y-%m-%d')"
        if dim in ("time:month", "time:quarter", "time:year"):
            return f"strftime(date_trunc('{dim[5:]}', {local}), '%Y-%m-%d')"
        form = {"time:minute": "%Y-%m-%d %H:%M:00", "time:hour": "%Y-%m-%d %H:00:00", "time:day": "%Y-%m-%d"}[dim]
        return f"strftime({local}, '{form}')"

    def column(self, dim, alias, goal, visit):
        """The value of a dimension, and whether it may be none at all. Alias is of events or, if visit is set, of visits; single
        dimensions are of the events x then."""
        if dim.startswith("time:"):
            return self.time(dim, alias), False
        if dim == "event:goal":
            return goal + ".goal", True
        if dim.startswith("event:props:"):
            key = dim[len("event:props:"):]
            return f"literal_prop({'x' if visit else alias}.props, {quote('$.' + chr(34) + key + chr(34))})", False
        if visit and dim == "event:page":
            return alias + ".begins_with", True
        if visit and single(dim):
            return "x." + COLUMNS[dim], False
        return f"{alias}.{COLUMNS[dim]}", False

    def condition(self, f, alias, goal="g", visit=False, negated=False):
        op = f[0]
        if op in ("and", "or"):
            word = " AND " if (op == "and") != negated else " OR "
            parts = [self.condition(sub, alias, goal, visit, negated) for sub in f[1]]
            return "(" + word.join(parts) + ")" if parts else "true"
        if op == "not":
            return self.condition(f[1], alias, goal, visit, not negated)
        if op in ("has_done", "has_not_done"):
            no = "NOT " if (op == "has_not_done") != negated else ""
            return f"{no}coalesce({alias}.vid IN ({self.done(f[1])}), false)"
        if op.endswith("_not"):
            op, negated = op[:-4], not negated
        value, nullable = self.column(f[1], alias, goal, visit)
        test = self.test(op, f[1], value, f[2], len(f) > 3 and not f[3]["case_sensitive"])
        test = f"NOT ({test})" if negated else f"({test})"
        return f"({value} IS NOT NULL AND {test})" if nullable else test

    def test(self, op, dim, value, clauses, fold):
        if op == "matches":
            return " OR ".join(f"regexp_matches({value}, {quote(('(?i)' if fold else '') + c)})" for c in clauses)
        if fold:
            value = f"lower({value})"
            clauses = [c.lower() for c in clauses]
        if op == "contains":
            return " OR ".join(f"contains({value}, {quote(c)})" for c in clauses)
        clauses = set(clauses)
        if "" in clauses or dim.startswith("visit:") and "(not set)" in clauses or dim == "visit:source" and ("direct / none" if fold else "Direct / None") in clauses:
            clauses.add("(none)")
        return f"{value} IN ({', '.join(quote(c) for c in sorted(clauses))})"

    def done(self, f):
        goals = any(leaf[1] == "event:goal" for leaf in leaves(f))
        join = f" LEFT JOIN {self.world}.reach h ON h.place = y.place" if goals else ""
        return f"SELECT y.vid FROM {self.world}.ev y{join} WHERE y.site = {quote(self.site)} AND y.vid IS NOT NULL AND {self.condition(f, 'y', 'h')}"

    def within(self, alias):
        return f"{alias}.site = {quote(self.site)} AND {alias}.ms >= {self.at} AND {alias}.ms < {self.to}"

    def events(self, dims, f):
        """Counts events by dims."""
        bots = "event:bot_reason" in dims or any(leaf[1] == "event:bot_reason" for leaf in leaves(f))
        table, more = ("bot", "NULL::DECIMAL(18, 4)") if bots else ("ev", "x.revenue")
        goals = "event:goal" in dims or any(leaf[1] == "event:goal" for leaf in leaves(f))
        join = f" LEFT JOIN {self.world}.reach g ON g.place = x.place" if goals else ""
        columns = [self.column(d, "x", "g", False)[0] for d in dims]
        where = self.within("x") + " AND " + self.condition(f, "x") + (" AND g.goal IS NOT NULL" if "event:goal" in dims else "")
        return (f"SELECT {''.join(c + ', ' for c in columns)}count(*), count(*) FILTER (x.is_view), count(DISTINCT x.visitor), "
                f"coalesce(sum({more}), 0), count({more}) FROM {self.world}.{table} x{join} WHERE {where}{' GROUP BY ALL' if dims else ''}")

    def visits(self, dims, f):
        """Counts visits by dims. With conditions on single events those that have an event which passes."""
        columns = [self.column(d, "v", "g", True) for d in dims]
        where = self.within("v") + "".join(f" AND {c} IS NOT NULL" for c, nullable in columns if nullable)
        if any(single(leaf[1]) for leaf in leaves(f)):
            goals = any(leaf[1] == "event:goal" for leaf in leaves(f))
            join = f" LEFT JOIN {self.world}.reach g ON g.place = x.place" if goals else ""
            where += (f" AND v.vid IN (SELECT v.vid FROM {self.world}.vi v JOIN {self.world}.ev x USING (vid){join} "
                      f"WHERE {self.within('v')} AND {self.condition(f, 'v', 'g', True)})")
        else:
            where += " AND " + self.condition(f, "v", "g", True)
        return (f"SELECT {''.join(c + ', ' for c, _ in columns)}count(*), coalesce(sum(v.views), 0), count(*) FILTER (v.bounced), coalesce(sum(v.seconds), 0) "
                f"FROM {self.world}.vi v WHERE {where}{' GROUP BY ALL' if dims else ''}")


def without_goals(f):
    """The filter without its conditions on goals and properties: a rate is of visitors that reached no goal, too."""
    if f[0] == "and":
        return ["and", [sub for sub in map(without_goals, f[1]) if sub is not None]]
    if any(leaf[1] == "event:goal" or leaf[1].startswith("event:props:") for leaf in leaves(f)):
        return None
    return f


def even(value, digits):
    """Rounds a fraction, halves to the even digit."""
    return float(round(value, digits)) if digits else float(round(value))


def ratio(part, of, scale, digits):
    return even(Fraction(part) * scale / of, digits) if of else None


class Answer:
    """The rows that a query has to have: numbers by the values of the dimensions."""

    def __init__(self, ask, c, q, dims):
        self.ask, self.c, self.q, self.dims = ask, c, q, dims
        self.f = ["and", q.get("filters", [])]
        self.sums, self.sql = {}, []
        metrics = q["metrics"]
        if set(metrics) & set(OF_EVENTS):
            self.add(c.events(dims, self.f), ["events", "pageviews", "visitors", "revenue", "paid"])
        if set(metrics) & set(OF_VISITS):
            self.add(c.visits(dims, self.f), ["visits", "views", "bounces", "seconds"])
        self.all = self.base(self.f) if "percentage" in metrics else 0
        self.conversions = self.base(without_goals(self.f)) if "conversion_rate" in metrics else 0
        self.groups = {}
        if "group_conversion_rate" in metrics:
            by = [d for d in dims if d != "event:goal"]
            for row in self.run(c.events(by, without_goals(self.f))):
                self.groups[row[:len(by)]] = row[len(by) + 2]

    def run(self, sql):
        self.sql.append(sql)
        return self.ask(sql)

    def base(self, f):
        return self.run(self.c.events([], f))[0][2]

    def add(self, sql, names):
        n = len(self.dims)
        for row in self.run(sql):
            self.sums.setdefault(row[:n], {}).update(zip(names, row[n:]))

    def rows(self):
        return {key: [self.metric(m, key, s) for m in self.q["metrics"]] for key, s in self.sums.items()}

    def metric(self, m, key, s):
        visits, visitors = s.get("visits", 0), s.get("visitors", 0)
        if m == "bounce_rate":
            return ratio(s.get("bounces", 0), visits, 100, 0)
        if m == "visit_duration":
            return ratio(s.get("seconds", 0), visits, 1, 0)
        if m == "views_per_visit":
            return ratio(s.get("views", 0), visits, 1, 2)
        if m == "percentage":
            return ratio(visitors, self.all, 100, 1)
        if m == "conversion_rate":
            return ratio(visitors, self.conversions, 100, 1)
        if m == "group_conversion_rate":
            return ratio(visitors, self.groups.get(tuple(v for d, v in zip(self.dims, key) if d != "event:goal"), 0), 100, 1)
        if m == "total_revenue":
            return float(s.get("revenue", Decimal(0)))
        if m == "average_revenue":
            return ratio(Fraction(s.get("revenue", Decimal(0))), s.get("paid", 0), 1, 4)
        return s.get(m, 0)
