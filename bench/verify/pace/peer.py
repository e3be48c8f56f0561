"""Answers SQL with DuckDB: each line of the input is a JSON object with "sql", each of the output has the rows and how long they took.

usage: peer.py THREADS
"""
import json
import sys
import time

import duckdb

db = duckdb.connect()
db.execute(f"SET threads = {int(sys.argv[1])}")
db.execute("SET TimeZone = 'UTC'")
db.execute("SET enable_progress_bar = false")
try:
    db.execute("SET parquet_metadata_cache = true")
except duckdb.Error:
    db.execute("SET enable_object_cache = true")
print(json.dumps({"version": duckdb.__version__}), flush=True)
for line in sys.stdin:
    sql = json.loads(line)["sql"]
    cpu, at = time.process_time(), time.perf_counter()
    try:
        rows = db.execute(sql).fetchall()
    except duckdb.Error as e:
        print(json.dumps({"error": str(e)}), flush=True)
        continue
    spent = time.perf_counter() - at, time.process_time() - cpu
    rows = [[float(v) if type(v).__name__ == "Decimal" else v for v in r] for r in rows]
    print(json.dumps({"ms": spent[0] * 1e3, "cpu": spent[1] * 1e3, "rows": rows}), flush=True)
