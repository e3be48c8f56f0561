-- Finds the visits of events by their definition, in a schema of its own (WORLD), of events that are no later than LATENESS ms:
--
--   A visit is what a visitor of a site does with pauses of at most 30 minutes, at most 12 hours long. In the first hour of a day of UTC
--   events carry the visitor's id of the day before, too: both are one visitor. A ping lengthens the visit that it falls into, and
--   begins none. The visit is of the instant of its first event. Its dimensions are those of its first page view, or first event while
--   there is none; its exit page is that of the last page view. It bounced if it has one page view and no other event that is
--   interactive. Its seconds are from the first event to the last event or ping, and 0 if it bounced without a ping.
--   An event has the dimensions that its visit had when it came.
--
-- REQUIRES: events of who has pings, is there at midnight or makes visits of 12 hours come in order of time.
CREATE SCHEMA WORLD;

CREATE TABLE WORLD.p AS
  SELECT place, site, ms, visitor, visitor_prev, ping, is_view, acted FROM e WHERE reason IS NULL AND visitor IS NOT NULL AND received - ms <= LATENESS;

-- Ids of one visitor, day after day, under the first of them.
CREATE TABLE WORLD.link AS
  SELECT DISTINCT site, visitor, visitor_prev FROM WORLD.p WHERE visitor_prev IS NOT NULL AND (site, visitor_prev) IN (SELECT (site, visitor) FROM WORLD.p);
CREATE TABLE WORLD.person AS
  WITH RECURSIVE q(site, visitor, person) AS (
    SELECT DISTINCT site, visitor, visitor FROM WORLD.p ANTI JOIN WORLD.link USING (site, visitor)
    UNION ALL
    SELECT l.site, l.visitor, q.person FROM q JOIN WORLD.link l ON l.site = q.site AND l.visitor_prev = q.visitor
  ) FROM q;

-- Cut where a pause is too long; pings before the first event are of no visit.
CREATE TABLE WORLD.stay AS
  WITH s AS (
    SELECT *, sum(begins::INT) OVER (PARTITION BY site, person ORDER BY ms, place ROWS UNBOUNDED PRECEDING) AS stay
    FROM (
      SELECT p.*, person, coalesce(ms - lag(ms) OVER (PARTITION BY site, person ORDER BY ms, place) > 30 * 60 * 1000, true) AS begins
      FROM WORLD.p p JOIN WORLD.person USING (site, visitor)
    )
  )
  FROM s QUALIFY ms >= min(ms) FILTER (NOT ping) OVER (PARTITION BY site, person, stay);

-- Cut again what is too long: the first event past 12 hours begins the next visit.
CREATE TABLE WORLD.cut AS
  WITH RECURSIVE
    long AS (SELECT site, person, stay, min(ms) AS first FROM WORLD.stay GROUP BY ALL HAVING max(ms) - min(ms) > 12 * 3600 * 1000),
    l AS (SELECT s.site, s.person, s.stay, s.ms FROM WORLD.stay s JOIN long USING (site, person, stay) WHERE NOT ping),
    c(site, person, stay, first) AS (
      FROM long
      UNION ALL
      SELECT site, person, stay, min(l.ms) FROM c JOIN l USING (site, person, stay) WHERE l.ms > c.first + 12 * 3600 * 1000 GROUP BY ALL
    ) FROM c;

-- Which events and pings are of which visit, vid.
CREATE TABLE WORLD.member AS
  SELECT place, ms, ping, is_view, acted, dense_rank() OVER (ORDER BY s.site, s.person, s.stay, coalesce(c.first, 0)) AS vid
  FROM WORLD.stay s ASOF LEFT JOIN WORLD.cut c ON s.site = c.site AND s.person = c.person AND s.stay = c.stay AND s.ms >= c.first
  WHERE NOT ping OR c.first IS NULL OR s.ms <= c.first + 12 * 3600 * 1000;

CREATE TABLE WORLD.ended AS
  SELECT vid, min(ms) FILTER (NOT ping) AS began, max(ms) AS last, count(*) FILTER (is_view AND NOT ping) AS views,
    views = 1 AND NOT bool_or(acted AND NOT ping) AS bounced, bool_or(ping) AS pinged,
    CASE WHEN bounced AND NOT pinged THEN 0 ELSE (last - began) // 1000 END AS seconds,
    arg_min(place, (NOT is_view, ms, place)) FILTER (NOT ping) AS origin,
    arg_max(place, (ms, place)) FILTER (is_view AND NOT ping) AS exit
  FROM WORLD.member GROUP BY vid;

-- The event that each event's visit had its dimensions from when it came. Where all came in order, the first page view so far. Where
-- they did not: of what had come by then, what hangs together with the event.
CREATE TABLE WORLD.origin AS
  WITH m AS (FROM WORLD.member WHERE NOT ping),
    mixed AS (SELECT DISTINCT vid FROM (SELECT vid, ms < lag(ms) OVER (PARTITION BY vid ORDER BY place) AS back FROM m) WHERE back),
    pairs AS (
      SELECT a.place AS of, b.place, b.ms, b.is_view,
        coalesce(b.ms - lag(b.ms) OVER (PARTITION BY a.place ORDER BY b.ms, b.place) > 30 * 60 * 1000, true) AS begins
      FROM m a JOIN m b USING (vid) WHERE b.place <= a.place AND a.vid IN (FROM mixed)
    ),
    parts AS (SELECT *, sum(begins::INT) OVER (PARTITION BY of ORDER BY ms, place ROWS UNBOUNDED PRECEDING) AS part FROM pairs),
    own AS (SELECT of, part FROM parts WHERE place = of)
  SELECT place, vid, coalesce(min(place) FILTER (is_view) OVER so_far, min(place) OVER so_far) AS origin
  FROM m WHERE vid NOT IN (FROM mixed) WINDOW so_far AS (PARTITION BY vid ORDER BY place ROWS UNBOUNDED PRECEDING)
  UNION ALL
  SELECT of, any_value(m.vid), arg_min(parts.place, (NOT parts.is_view, parts.ms, parts.place))
  FROM parts JOIN own USING (of, part) JOIN m ON m.place = of GROUP BY of;

CREATE MACRO WORLD.of_visit(channel, internal) AS CASE WHEN internal THEN 'Direct' ELSE channel END;

-- Events of people, each with its dimensions. One of no visit has its own.
CREATE TABLE WORLD.ev AS
  SELECT e.place, e.site, e.ms, e.visitor, e.is_view, e.name, e.props, e.revenue, e.page, e.hostname, v.vid,
    CASE WHEN o.is_view THEN o.page ELSE '(none)' END AS entry_page,
    o.source, o.referrer, CASE WHEN v.vid IS NULL THEN o.channel ELSE WORLD.of_visit(o.channel, o.internal) END AS channel,
    o.utm_source, o.utm_medium, o.utm_campaign, o.utm_content, o.utm_term, o.country, o.country_name, o.region, o.city, o.language, o.screen,
    o.browser, o.browser_version, o.os, o.os_version, o.device
  FROM e LEFT JOIN WORLD.origin v USING (place) JOIN e o ON o.place = coalesce(v.origin, e.place)
  WHERE e.reason IS NULL AND NOT e.ping AND e.received - e.ms <= LATENESS;

CREATE TABLE WORLD.vi AS
  SELECT v.vid, o.site, v.began AS ms, v.views, v.bounced, v.seconds,
    CASE WHEN o.is_view THEN o.page END AS begins_with, shown(begins_with) AS entry_page, shown(x.page) AS exit_page, o.hostname,
    o.source, o.referrer, WORLD.of_visit(o.channel, o.internal) AS channel,
    o.utm_source, o.utm_medium, o.utm_campaign, o.utm_content, o.utm_term, o.country, o.country_name, o.region, o.city, o.language, o.screen,
    o.browser, o.browser_version, o.os, o.os_version, o.device
  FROM WORLD.ended v JOIN e o ON o.place = v.origin LEFT JOIN e x ON x.place = v.exit;

CREATE TABLE WORLD.bot AS
  SELECT place, site, ms, visitor, is_view, reason FROM e WHERE reason IS NOT NULL AND NOT uncounted AND NOT ping AND received - ms <= LATENESS;

-- Which goals events reach.
CREATE TABLE WORLD.reach AS
  SELECT DISTINCT place, goal FROM WORLD.ev e JOIN goals g ON g.site = e.site
    AND (g.event <> '' AND g.event = e.name OR g.expression <> '' AND e.is_view AND regexp_matches(e.page, g.expression));
