#!/usr/bin/env python3
"""Reads all files of an archive (raw, hits, visits) with DuckDB, polars and pyarrow, and compares what these find: columns, rows, and of each column the
nulls and a sum: of numbers, amounts and instants themselves, of texts the bytes.

usage: files.py FOLDER. The exit code is 1 if they do not agree.
"""
import glob
import sys
from decimal import Decimal

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet

PATTERNS = {"raw": "dt=*/hr=*/*.parquet", "hits": "hits/*/dt=*/*.parquet", "visits": "visits/*/dt=*/*.parquet"}


def with_duckdb(files, kinds):
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    table = f"read_parquet({files!r}, hive_partitioning = false)"
    sums = {"text": 'strlen("{}")', "time": 'epoch_ms("{}")', "bool": '"{}"::INTEGER', "amount": '"{}"', "number": '"{}"::HUGEINT'}
    what = ", ".join(f'count(*) - count("{c}"), coalesce(sum({sums[kind].format(c)}), 0)' for c, kind in kinds.items())
    row = con.execute(f"SELECT count(*), {what} FROM {table}").fetchone()
    names = [c[0] for c in con.execute(f"SELECT * FROM {table} LIMIT 0").description]
    return row[0], {c: (row[1 + 2 * names.index(c)], Decimal(str(row[2 + 2 * names.index(c)]))) for c in names}


def with_polars(files, kinds):
    table = polars.concat([polars.read_parquet(f, hive_partitioning=False) for f in files])

    def total(c):
        s = table[c]
        if kinds[c] == "text":
            s = s.str.len_bytes()
        elif kinds[c] == "time":
            s = s.dt.epoch("ms")
        if kinds[c] == "number":
            return sum(v for v in s.to_list() if v is not None)  # more than 64 bits
        return s.sum() or 0

    return table.height, {c: (table[c].null_count(), Decimal(str(int(v) if kinds[c] != "amount" else v))) for c in table.columns for v in [total(c)]}


def kind_of(t):
    types = pyarrow.types
    if types.is_string(t) or types.is_large_string(t):
        return "text"
    if types.is_timestamp(t) and t.tz == "UTC" and t.unit == "ms":
        return "time"
    if types.is_decimal(t) and t.scale == 4:
        return "amount"
    return "bool" if types.is_boolean(t) else "number"


def with_pyarrow(files):
    table = pyarrow.concat_tables([pyarrow.parquet.ParquetFile(f).read() for f in files])
    kinds = {f.name: kind_of(f.type) for f in table.schema}

    def total(c):
        column, kind = table[c], kinds[c]
        if kind == "text":
            column = pyarrow.compute.binary_length(column)
        elif kind == "time":
            column = column.cast(pyarrow.int64())
        if kind in ("number", "time"):
            return sum(v for v in column.to_pylist() if v is not None)
        return pyarrow.compute.sum(column).as_py() or 0

    return kinds, (table.num_rows, {c: (table[c].null_count, Decimal(str(total(c)))) for c in table.column_names})


def main():
    wrong = 0
    for name, pattern in PATTERNS.items():
        files = sorted(glob.glob(f"{sys.argv[1]}/{pattern}"))
        if not files:
            sys.exit(f"there are no files of {name} in {sys.argv[1]}")
        kinds, arrow = with_pyarrow(files)
        found = {"pyarrow": arrow, "duckdb": with_duckdb(files, kinds), "polars": with_polars(files, kinds)}
        same = True
        for tool, got in found.items():
            if got[0] != arrow[0] or list(got[1]) != list(arrow[1]):
                same = False
                print(f"{name}: {tool} has {got[0]} rows, columns {list(got[1])}")
            for c in kinds:
                if got[1].get(c) != arrow[1][c]:
                    same = False
                    print(f"{name}, column {c}: nulls and sum of {tool} are {got[1].get(c)}, of pyarrow {arrow[1][c]}")
        wrong += not same
        print(f"{name}: {len(files)} files, {arrow[0]} rows, {len(kinds)} columns: {'the same' if same else 'NOT the same'} for {', '.join(found)}")
    sys.exit(1 if wrong else 0)


main()
