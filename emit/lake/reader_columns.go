package lake

import (
	"errors"
	"fmt"
	"io"
	"strings"

	pq "github.com/parquet-go/parquet-go"
)

// readPages calls f with the pages that hold the rows [lo, lo+n) of a column, cut to them. A page
// is valid during the call. from is the page's first row, counted from lo.
func readPages(chunk pq.ColumnChunk, lo, n int64, f func(page pq.Page, from int) error) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	if lo > 0 {
		if err := pages.SeekToRow(lo); err != nil {
			return err
		}
	}
	for from := int64(0); from < n; {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("column %d ends after %d of %d rows", chunk.Column(), from, n)
		}
		if err != nil {
			return err
		}
		part := page
		if page.NumRows() > n-from {
			part = page.Slice(0, n-from)
		}
		rows := part.NumRows()
		if rows == 0 {
			err = fmt.Errorf("column %d has an empty page", chunk.Column())
		} else {
			err = f(part, int(from))
		}
		pq.Release(page)
		if err != nil {
			return err
		}
		from += rows
	}
	return nil
}

// present calls f for each row of a page that has a value: with the row and the value's place in
// the page's data.
func present(page pq.Page, from int, values int, f func(row, value int)) error {
	levels := page.DefinitionLevels()
	if len(levels) == 0 { // a required column
		if int64(values) < page.NumRows() {
			return fmt.Errorf("a page of %d rows has %d values", page.NumRows(), values)
		}
		for i := range int(page.NumRows()) {
			f(from+i, i)
		}
		return nil
	}
	value := 0
	for i, level := range levels {
		if level == 0 {
			continue
		}
		if value >= values {
			return fmt.Errorf("a page has only %d values", values)
		}
		f(from+i, value)
		value++
	}
	return nil
}

// readStrings calls set for each row with a value. Strings of a dictionary are copied once, those
// of a plain page in one piece.
func readStrings(chunk pq.ColumnChunk, lo, n int64, set func(i int, s string)) error {
	var table []string // of the chunk's dictionary
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		data := page.Data()
		if dict := page.Dictionary(); dict != nil {
			if table == nil {
				table = copyDictionary(dict)
			}
			ids := data.Int32()
			return present(page, from, len(ids), func(i, v int) { set(i, table[ids[v]]) })
		}
		values, offsets := data.ByteArray()
		text := string(values)
		return present(page, from, len(offsets)-1, func(i, v int) { set(i, text[offsets[v]:offsets[v+1]]) })
	})
}

func copyDictionary(dict pq.Dictionary) []string {
	var all strings.Builder
	all.Grow(int(dict.Size()))
	ends := make([]int, dict.Len())
	for i := range ends {
		all.Write(dict.Index(int32(i)).ByteArray())
		ends[i] = all.Len()
	}
	text, table, start := all.String(), make([]string, len(ends)), 0
	for i, end := range ends {
		table[i], start = text[start:end], end
	}
	return table
}

// readInts is readStrings for columns of INT32 and INT64.
func readInts(chunk pq.ColumnChunk, lo, n int64, set func(i int, n int64)) error {
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		data := page.Data()
		if dict := page.Dictionary(); dict != nil {
			ids := data.Int32()
			if dict.Type().Kind() == pq.Int32 {
				return present(page, from, len(ids), func(i, v int) { set(i, int64(dict.Index(ids[v]).Int32())) })
			}
			return present(page, from, len(ids), func(i, v int) { set(i, dict.Index(ids[v]).Int64()) })
		}
		if page.Type().Kind() == pq.Int32 {
			ints := data.Int32()
			return present(page, from, len(ints), func(i, v int) { set(i, int64(ints[v])) })
		}
		ints := data.Int64()
		return present(page, from, len(ints), func(i, v int) { set(i, ints[v]) })
	})
}

// readBools calls set for each row that is true. It reads by values and not by the page's bits,
// which begin anywhere within a byte when a page was cut.
func readBools(chunk pq.ColumnChunk, lo, n int64, set func(i int)) error {
	values := make([]pq.Value, 1024)
	return readPages(chunk, lo, n, func(page pq.Page, from int) error {
		reader := page.Values()
		for done := 0; done < int(page.NumRows()); {
			got, err := reader.ReadValues(values)
			for i, v := range values[:got] {
				if !v.IsNull() && v.Boolean() {
					set(from + done + i)
				}
			}
			done += got
			switch {
			case done > int(page.NumRows()):
				return fmt.Errorf("a page of %d rows has more values", page.NumRows())
			case err != nil && !errors.Is(err, io.EOF):
				return err
			case got == 0:
				return fmt.Errorf("a page of %d rows has %d values", page.NumRows(), done)
			}
		}
		return nil
	})
}
