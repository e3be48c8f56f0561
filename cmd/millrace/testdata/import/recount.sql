-- Recounts an imported access log with DuckDB (its command-line client, or any binding of it), for the file apache_combined.tsv:
--
--   millrace import --data data --format combined --site www.example.com apache_combined.log
--   duckdb -c ".read recount.sql"
--
-- bots.txt holds one user agent a line: those of the log for which engine/enrich sets window.BotRow; an empty one is a bot's too. It
-- is all that is taken from Millrace; browsers are told by the rules below, which know no more than this log needs.
SET timezone = 'UTC';
CREATE TABLE bots AS
  FROM read_csv('bots.txt', delim = '\0', header = false, quote = '', escape = '', columns = {'ua': 'VARCHAR'});
CREATE TABLE e AS SELECT *, CASE
    WHEN ua LIKE '%OPR/%' OR (ua LIKE '%Opera%' AND ua NOT LIKE '%Opera Mini%') THEN 'Opera'
    WHEN ua LIKE '%Opera Mini%' THEN 'Opera Mini'
    WHEN ua LIKE '%SeaMonkey/%' THEN 'SeaMonkey'
    WHEN ua LIKE '%Konqueror/%' THEN 'Konqueror'
    WHEN ua LIKE '%Epiphany/%' THEN 'GNOME Web'
    WHEN ua LIKE 'Instagram %' THEN 'Instagram'
    WHEN ua LIKE '% GSA/%' THEN 'Google App'
    WHEN ua LIKE '%Silk/%' THEN 'Amazon Silk'
    WHEN ua LIKE '%MSIE %' OR ua LIKE '%Trident/%' THEN 'Internet Explorer'
    WHEN ua LIKE '%Chromium/%' THEN 'Chromium'
    WHEN ua LIKE '%Chrome/%' OR ua LIKE '%CriOS/%' THEN 'Chrome'
    WHEN ua LIKE '%Midori/%' THEN 'Midori'
    WHEN ua LIKE '%conkeror/%' THEN 'Conkeror'
    WHEN ua LIKE '%UP.Browser/%' THEN 'UP.Browser'
    WHEN ua LIKE 'Reeder/%' THEN 'Reeder'
    WHEN ua LIKE 'Lynx/%' THEN 'Lynx'
    WHEN ua LIKE 'Links (%' OR ua LIKE 'ELinks (%' THEN 'Links'
    WHEN ua LIKE '%BonEcho/%' THEN 'Firefox'
    WHEN ua LIKE '%Thunderbird/%' THEN '(none)'
    WHEN ua LIKE '%Firefox/%' OR ua LIKE '%Iceweasel/%' THEN 'Firefox'
    WHEN lower(ua) LIKE '%android%' AND ua LIKE '%Version/%Safari/%' THEN 'Android Browser'
    WHEN ua LIKE '%Safari/%' THEN 'Safari'
    WHEN ua LIKE '%iPhone%AppleWebKit/%Mobile/%' THEN 'iOS WebView'
    ELSE '(none)' END AS browser
  FROM read_parquet('data/lake/dt=*/**/*.parquet') WHERE ua <> '' AND ua NOT IN (FROM bots);
COPY (
  SELECT '-' AS dim, '-' AS value, count(DISTINCT visitor), count(*) FROM e GROUP BY ALL UNION ALL
  SELECT 'time:day', strftime(ts, '%Y-%m-%d'), count(DISTINCT visitor), count(*) FROM e GROUP BY ALL UNION ALL
  SELECT 'visit:country', coalesce(nullif(country, ''), '(none)'), count(DISTINCT visitor), count(*) FROM e GROUP BY ALL UNION ALL
  SELECT 'visit:browser', browser, count(DISTINCT visitor), count(*) FROM e GROUP BY ALL
) TO 'recount.tsv' (DELIMITER '\t', HEADER false);
