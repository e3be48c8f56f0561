-- What the raw files of an archive say of each event, and what the traffic's maker knows of agents, referrers, pages and places. The
-- caller sets the variables lake (a glob of files) and facts (a folder).
SET timezone = 'UTC';

CREATE TABLE agents AS FROM read_csv(getvariable('facts') || '/agents.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE arrivals AS FROM read_csv(getvariable('facts') || '/arrivals.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE pages AS FROM read_csv(getvariable('facts') || '/pages.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE places AS FROM read_csv(getvariable('facts') || '/places.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE languages AS FROM read_csv(getvariable('facts') || '/languages.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE screens AS FROM read_csv(getvariable('facts') || '/screens.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE sites AS FROM read_csv(getvariable('facts') || '/sites.csv', all_varchar = true, nullstr = '<NULL>');
CREATE TABLE goals AS FROM read_csv(getvariable('facts') || '/goals.csv', all_varchar = true, nullstr = '<NULL>');

CREATE TABLE raw AS
  SELECT *, row_number() OVER (ORDER BY source_topic, source_partition, source_offset, source_index) AS place
  FROM read_parquet(getvariable('lake'), hive_partitioning = false) JOIN sites USING (site);

CREATE MACRO shown(v) AS CASE WHEN v IS NULL OR v = '' THEN '(none)' ELSE v END;
-- A text of a site that looks like no value is kept apart.
CREATE MACRO literal(v) AS CASE WHEN v IN ('(none)', '(other)') THEN '(' || v || ')' ELSE v END;

-- Each id of a site counts once: the first in the log.
CREATE TABLE e AS
  WITH once AS (FROM raw QUALIFY id = '' OR row_number() OVER (PARTITION BY site, id ORDER BY place) = 1)
  SELECT r.place, r.site, epoch_ms(r.ts) AS ms, epoch_ms(r.received) AS received, r.visitor, r.visitor_prev, r.ping, r.name = 'pageview' AS is_view,
    r.name <> 'pageview' AND NOT r.non_interactive AS acted,
    literal(r.name) AS name, r.props,
    CASE WHEN r.revenue_currency <> '' AND (r.currency = '' OR r.currency = r.revenue_currency) THEN r.revenue_amount END AS revenue,
    CASE WHEN r.bots = 'count' THEN NULL ELSE coalesce(nullif(r.bot, ''), CASE WHEN r.client NOT LIKE '%.server' THEN nullif(a.bot, '') END) END AS reason,
    CASE WHEN r.url = '' THEN '(none)' ELSE p.page || CASE WHEN r.hash_route AND r.url LIKE '%#%' THEN '#' || regexp_extract(r.url, '#([^?]*)', 1) ELSE '' END END AS page,
    shown(regexp_replace(r.hostname, '^www\.', '')) AS hostname,
    regexp_extract(r.referrer, '^https?://(?:www\.)?([^/]*)', 1) = r.site AS internal,
    CASE WHEN internal THEN '(none)' ELSE v.source END AS source,
    CASE WHEN internal THEN '(none)' ELSE v.page END AS referrer,
    CASE WHEN internal THEN '(none)' ELSE v.channel END AS channel,
    CASE WHEN internal THEN '(none)' ELSE shown(v.utm_source) END AS utm_source,
    CASE WHEN internal THEN '(none)' ELSE shown(v.utm_medium) END AS utm_medium,
    CASE WHEN internal THEN '(none)' ELSE shown(v.utm_campaign) END AS utm_campaign,
    CASE WHEN internal THEN '(none)' ELSE shown(v.utm_content) END AS utm_content,
    CASE WHEN internal THEN '(none)' ELSE shown(v.utm_term) END AS utm_term,
    o.is_country AS country, o.country_name, o.is_region AS region, o.is_city AS city, l.value AS language, s.value AS screen,
    a.browser, a.browser_version, a.os, a.os_version, a.device, r.bots = 'drop' AND reason IS NOT NULL AS uncounted
  FROM once r
  LEFT JOIN agents a ON a.ua = r.ua
  LEFT JOIN pages p ON p.sent = r.path
  LEFT JOIN arrivals v ON v.referrer = r.referrer AND v.query = regexp_extract(r.url, '\?([^#]*)', 1)
  LEFT JOIN places o ON (o.country, o.region, o.city) = (r.country, r.region, r.city)
  LEFT JOIN languages l ON l.sent = r.language
  LEFT JOIN screens s ON s.sent = r.screen;

-- All that is sent is known.
SELECT CASE WHEN count(*) > 0 THEN error('the tables of facts lack ' || any_value(e)::VARCHAR) END
  FROM e WHERE page IS NULL OR channel IS NULL OR country IS NULL OR language IS NULL OR screen IS NULL OR browser IS NULL;
