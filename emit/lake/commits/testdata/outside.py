"""Reads the tables of hits and visits of a partition as outsiders do, with the library that is named, and prints what it has found.

usage: outside.py deltalake|polars|duckdb|write HITS VISITS
"""
import json
import sys


def polars_table(path):
    import polars

    return polars.scan_delta(path).collect()


def polars_rows(path):
    return polars_table(path).to_dicts()


def duckdb_rows(path):
    import duckdb
    import duckdb_extensions

    duckdb_extensions.import_extension("delta")
    con = duckdb.connect()
    con.execute("LOAD delta; SET TimeZone='UTC'")
    got = con.execute(f"SELECT * FROM delta_scan('{path}')")
    names = [c[0] for c in got.description]
    return [dict(zip(names, r)) for r in got.fetchall()]


def main():
    tool, paths = sys.argv[1], sys.argv[2:]
    out = []
    for path in paths:
        if tool == "write":
            try:
                polars_table(path).head(1).write_delta(path, mode="append")
                out.append("written")
            except Exception as e:
                out.append(str(e))
            continue
        if tool == "deltalake":
            from deltalake import DeltaTable

            table = DeltaTable(path)
            out.append({"version": table.version(), "files": len(table.file_uris()), "columns": [f.name for f in table.schema().fields]})
            continue
        rows = polars_rows(path) if tool == "polars" else duckdb_rows(path)
        time = "ts" if "ts" in rows[0] else "begin"
        out.append({
            "rows": len(rows),
            "sites": sorted({r["site"] for r in rows}),
            "visitors": len({r["visitor"] for r in rows if r["visitor"] is not None}),
            "days": sorted({str(r["dt"]) for r in rows}),
            "times": sum(int(r[time].timestamp() * 1000) for r in rows),
            "revenue": str(sum(r.get("revenue_amount") or 0 for r in rows)),
            "visits": sum(r["visit"] or 0 for r in rows),
        })
    print(json.dumps(out))


main()
