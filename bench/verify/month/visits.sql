-- Finds visits in an archive of Parquet files with DuckDB, by their definition:
--
--   A visit is what a visitor of a site does with pauses of at most 30 minutes, at most 12 hours long. It belongs to the instant
--   at which it began. Its entry page is the first one viewed, its exit page the last one. It bounced if it has one page view and
--   no other event that is interactive. Its seconds are from the first event to the last, and 0 if it bounced.
--   In the first hour of a day of UTC events carry the visitor's id of the day before, too: both are one visitor.
--
-- The caller sets the variable lake (a glob of files) and makes the table bots (ua).
-- REQUIRES: imported events, in the first hour of a day in order of time.
SET timezone = 'UTC';

-- What counts: no bots, and each id once. In an hour the first one in the log counts.
CREATE TABLE e AS
  SELECT site, visitor, visitor_prev, ts, epoch_ms(ts) AS ms, name = 'pageview' AS is_view, NOT non_interactive AS is_interactive,
    replace(path, '%20', ' ') AS page, -- the one spelling of docs/counting.md that the logs have need of
    -- Of several at the same time the place in the log decides what is first and last.
    epoch_ms(ts)::HUGEINT * 1000000000 + row_number() OVER (ORDER BY source_topic, source_partition, source_offset, source_index) AS place
  FROM read_parquet(getvariable('lake')) WHERE ua <> '' AND ua NOT IN (SELECT ua FROM bots)
  QUALIFY row_number() OVER (PARTITION BY site, id ORDER BY source_topic, source_partition, source_offset, source_index) = 1;

-- Ids of one visitor, day after day, under the first of them.
CREATE TABLE link AS
  SELECT DISTINCT site, visitor, visitor_prev FROM e
  WHERE visitor_prev IS NOT NULL AND (site, visitor_prev) IN (SELECT (site, visitor) FROM e);
CREATE TABLE person AS
  WITH RECURSIVE p(site, visitor, person) AS (
    SELECT DISTINCT site, visitor, visitor FROM e ANTI JOIN link USING (site, visitor) WHERE visitor IS NOT NULL
    UNION ALL
    SELECT l.site, l.visitor, p.person FROM p JOIN link l ON l.site = p.site AND l.visitor_prev = p.visitor
  ) FROM p;

-- Cut where a pause is too long.
CREATE TABLE stay AS
  SELECT *, sum(begins::INT) OVER (PARTITION BY site, person ORDER BY place ROWS UNBOUNDED PRECEDING) AS stay
  FROM (
    SELECT e.*, person, coalesce(ms - lag(ms) OVER (PARTITION BY site, person ORDER BY place) > 30 * 60 * 1000, true) AS begins
    FROM e JOIN person USING (site, visitor)
  );

-- Cut again what is too long: the first event past 12 hours begins the next visit.
CREATE TABLE cut AS
  WITH RECURSIVE
    long AS (SELECT site, person, stay, min(ms) AS first FROM stay GROUP BY ALL HAVING max(ms) - min(ms) > 12 * 3600 * 1000),
    l AS (SELECT s.site, s.person, s.stay, s.ms FROM stay s JOIN long USING (site, person, stay)),
    c(site, person, stay, first) AS (
      FROM long
      UNION ALL
      SELECT site, person, stay, min(l.ms) FROM c JOIN l USING (site, person, stay) WHERE l.ms > c.first + 12 * 3600 * 1000 GROUP BY ALL
    ) FROM c;

CREATE TABLE visits AS
  SELECT site, person, stay, part, min(ms) AS began,
    count(*) FILTER (is_view) AS views,
    views = 1 AND NOT bool_or(NOT is_view AND is_interactive) AS bounced,
    CASE WHEN bounced THEN 0 ELSE (max(ms) - min(ms)) // 1000 END AS seconds,
    arg_min(page, place) FILTER (is_view) AS entry_page,
    arg_max(page, place) FILTER (is_view) AS exit_page
  FROM (SELECT s.*, coalesce(c.first, 0) AS part FROM stay s ASOF LEFT JOIN cut c
    ON s.site = c.site AND s.person = c.person AND s.stay = c.stay AND s.ms >= c.first)
  GROUP BY site, person, stay, part;
