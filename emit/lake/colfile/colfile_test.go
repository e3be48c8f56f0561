package colfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"millrace/emit/lake/seal"
)

// row has a column of each kind.
type row struct {
	Site   string  `parquet:"site,dict"`
	Props  *string `parquet:"props,optional,dict"`
	Who    *uint64 `parquet:"who,optional"`
	Time   int64   `parquet:"ts,timestamp(millisecond),delta"`
	Small  int32   `parquet:"small,delta"`
	Plain  int64   `parquet:"plain"`
	Amount *int64  `parquet:"amount,optional,decimal(4:18)"`
	Scroll *int32  `parquet:"scroll,optional"`
	Flag   bool    `parquet:"flag"`
	Topic  string  `parquet:"topic,dict"`
	None   *string `parquet:"none,optional,dict"`
}

var testSchema = Lazy(row{})

var testOptions = Options{CreatedBy: "millrace version 1 (build test)", PageRows: 100, Sorted: []string{"site", "who"}, Index: []string{"site", "ts"}}

// randomRows makes rows that are sorted by site.
func randomRows(rng *rand.Rand, n int) []row {
	rows := make([]row, n)
	for i := range rows {
		r := &rows[i]
		r.Site, r.Topic = fmt.Sprintf("site-%02d", i*5/n), "events"
		if rng.IntN(3) > 0 {
			s := strings.Repeat("x", rng.IntN(100)) + fmt.Sprint(rng.IntN(40))
			r.Props = &s
		}
		if w := rng.Uint64(); rng.IntN(9) > 0 {
			r.Who = &w
		}
		r.Time = int64(rng.Uint64() >> rng.IntN(64))
		r.Small = int32(rng.Uint32())
		r.Plain = int64(rng.Uint64())
		if a := rng.Int64N(1000); rng.IntN(50) == 0 {
			r.Amount = &a
		}
		if a := rng.Int32N(100); i%300 > 120 {
			r.Scroll = &a
		}
		r.Flag = rng.IntN(2) == 0
	}
	return rows
}

// vectorsOf returns rows as vectors.
func vectorsOf(rows []row) []Vector {
	s := testSchema()
	list := make([]Vector, len(s.Columns))
	ids := make([]map[string]int32, len(list))
	for _, r := range rows {
		v := reflect.ValueOf(r)
		for i := range list {
			f, null := v.Field(i), false
			if f.Kind() == reflect.Pointer {
				if null = f.IsNil(); !null {
					f = f.Elem()
				}
			}
			c := &list[i]
			if s.Columns[i].Kind == Text {
				if null {
					c.Codes = append(c.Codes, -1)
					continue
				}
				if ids[i] == nil {
					ids[i] = map[string]int32{}
				}
				id, ok := ids[i][f.String()]
				if !ok {
					id = int32(len(c.Dict))
					ids[i][f.String()] = id
					c.Dict = append(c.Dict, f.String())
				}
				c.Codes = append(c.Codes, id)
				continue
			}
			n := int64(0)
			switch {
			case null:
			case f.CanInt():
				n = f.Int()
			case f.CanUint():
				n = int64(f.Uint())
			case f.Bool():
				n = 1
			}
			c.Ints = append(c.Ints, n)
			if s.Columns[i].Optional {
				c.Null = append(c.Null, null)
			}
		}
	}
	return list
}

func mustFile(tb testing.TB, rows []row, groupRows int) []byte {
	tb.Helper()
	w, err := NewWriter(testSchema(), testOptions)
	if err != nil {
		tb.Fatal(err)
	}
	for part := range slices.Chunk(rows, groupRows) {
		if err := w.RowGroup(len(part), vectorsOf(part)); err != nil {
			tb.Fatal(err)
		}
	}
	body, err := w.Close([]format.KeyValue{{Key: "k", Value: "v"}})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// TestLibrary: parquet-go reads what was written, in all columns, and seeks in it.
func TestLibrary(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rows := randomRows(rng, 1+rng.IntN(1000))
		body := mustFile(t, rows, 1+rng.IntN(600))
		if err := seal.Check(body); err != nil {
			t.Fatal(err)
		}
		got, err := pq.Read[row](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rows) {
			t.Fatalf("seed %d: parquet-go reads other rows", seed)
		}
		f, err := pq.OpenFile(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		g := f.RowGroups()[0]
		at := rng.Int64N(g.NumRows())
		pages := g.ColumnChunks()[4].Pages()
		if err := pages.SeekToRow(at); err != nil {
			t.Fatal(err)
		}
		page, err := pages.ReadPage()
		if err != nil {
			t.Fatal(err)
		}
		data := page.Data()
		if got := data.Int32()[0]; got != rows[at].Small {
			t.Fatalf("seed %d: row %d: %d, want %d", seed, at, got, rows[at].Small)
		}
		pages.Close()
		index, err := g.ColumnChunks()[0].ColumnIndex()
		if err != nil || index.NumPages() != int(g.NumRows()+99)/100 || index.MinValue(0).String() != rows[0].Site || !index.IsAscending() {
			t.Fatalf("seed %d: column index: %v, %v", seed, index, err)
		}
	}
}

// TestRead: a reader returns the vectors that were written, whole columns and windows, whichever columns are asked for.
func TestRead(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		rows := randomRows(rng, 1+rng.IntN(1000))
		groupRows := 1 + rng.IntN(600)
		body := mustFile(t, rows, groupRows)
		f, err := Open("a file", bytes.NewReader(body), int64(len(body)), testSchema())
		if err != nil {
			t.Fatal(err)
		}
		if f.Rows() != int64(len(rows)) || f.Meta("k") != "v" || f.Meta("") != "" {
			t.Fatalf("%d rows, %d were written", f.Rows(), len(rows))
		}
		columns := []int(nil)
		if seed%2 == 1 {
			columns = []int{rng.IntN(11), rng.IntN(11)}
		}
		for i := range f.Groups() {
			part := rows[i*groupRows : i*groupRows+f.GroupRows(i)]
			want := vectorsOf(part)
			g, err := f.Group(i, columns)
			if err != nil {
				t.Fatal(err)
			}
			all := columns
			if all == nil {
				for c := range want {
					all = append(all, c)
				}
			}
			lo, hi, ok := f.TextBounds(i, 0)
			if !ok || lo != part[0].Site || hi != part[len(part)-1].Site {
				t.Fatalf("bounds %q %q %t", lo, hi, ok)
			}
			for _, c := range all {
				var got Vector
				if err := g.Column(c, &got); err != nil {
					t.Fatal(err)
				}
				sameVector(t, &got, &want[c])
			}
			windows(t, g, all, want)
		}
	}
}

// windows compares what Pages gives with vectors.
func windows(t *testing.T, g *Group, columns []int, want []Vector) {
	t.Helper()
	p, err := g.Pages(columns)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]Vector, len(columns))
	joined := make([]Vector, len(columns))
	for {
		n, err := p.Next(out)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || n == 0 {
			t.Fatal(n, err)
		}
		for i := range out {
			joined[i].Codes, joined[i].Dict = append(joined[i].Codes, out[i].Codes...), out[i].Dict
			joined[i].Ints, joined[i].Null = append(joined[i].Ints, out[i].Ints...), append(joined[i].Null, out[i].Null...)
		}
	}
	for i, c := range columns {
		sameVector(t, &joined[i], &want[c])
	}
}

func sameVector(t *testing.T, got, want *Vector) {
	t.Helper()
	if !slices.Equal(got.Codes, want.Codes) || !slices.Equal(got.Dict, want.Dict) || !slices.Equal(got.Ints, want.Ints) || !slices.Equal(got.Null, want.Null) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

// TestSame: a file is the same in used memory.
func TestSame(t *testing.T) {
	rows := randomRows(rand.New(rand.NewPCG(1, 3)), 700)
	w, err := NewWriter(testSchema(), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	var files [2]string
	for i := range files {
		w.Reset(nil)
		if err := w.RowGroup(len(rows), vectorsOf(rows)); err != nil {
			t.Fatal(err)
		}
		body, err := w.Close(nil)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = string(body)
	}
	if files[0] != files[1] {
		t.Error("the files differ")
	}
}

// TestRefused: vectors that do not fit the schema are an error.
func TestRefused(t *testing.T) {
	f := func(want string, change func(list []Vector)) {
		t.Helper()
		rows := randomRows(rand.New(rand.NewPCG(1, 3)), 70)
		list := vectorsOf(rows)
		change(list)
		w, err := NewWriter(testSchema(), testOptions)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RowGroup(70, list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f("column \"site\"", func(list []Vector) { list[0].Codes = list[0].Codes[1:] })
	f("column \"site\": code 9 of", func(list []Vector) { list[0].Codes[5] = 9 })
	f("column \"who\"", func(list []Vector) { list[2].Null = nil })
	f("no values", func(list []Vector) { list[9].Dict = nil })
}

// readAll reads all of a file, whatever it is.
func readAll(body []byte) error {
	f, err := Open("a file", bytes.NewReader(body), int64(len(body)), testSchema())
	if err != nil {
		return err
	}
	for i := range f.Groups() {
		g, err := f.Group(i, nil)
		if err != nil {
			return err
		}
		for c := range f.schema.Columns {
			var v Vector
			if err := g.Column(c, &v); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestDamage: whatever bit of a file flips, what is read in part is an error or not what was touched: rows are never others.
func TestDamage(t *testing.T) {
	rows := randomRows(rand.New(rand.NewPCG(1, 4)), 150)
	body := mustFile(t, rows, 90)
	want := vectorsOf(rows[:90])
	quiet := 0
	flips := 0
	for bit := 0; bit < len(body)*8; bit += 1 + flips%23 {
		flips++
		damaged := slices.Clone(body)
		damaged[bit/8] ^= 1 << (bit % 8)
		if seal.Check(damaged) == nil {
			t.Fatalf("bit %d: the seal holds", bit)
		}
		if readAll(damaged) != nil {
			continue
		}
		quiet++
		f, err := Open("a file", bytes.NewReader(damaged), int64(len(damaged)), testSchema())
		if err != nil {
			t.Fatal(err)
		}
		g, err := f.Group(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for c := range want {
			var got Vector
			if err := g.Column(c, &got); err != nil {
				t.Fatal(err)
			}
			sameVector(t, &got, &want[c])
		}
	}
	// The first four bytes, the seal over all, the indexes, which are not read, and bits of page headers that say nothing.
	t.Logf("%d of %d flips are not seen by reading", quiet, flips)
}

// TestErrors: an error names the file, and says that it is corrupt only if it is.
func TestErrors(t *testing.T) {
	body := mustFile(t, randomRows(rand.New(rand.NewPCG(1, 4)), 150), 90)
	body[len(body)/3] ^= 1
	if err := readAll(body); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"a file"`) {
		t.Error(err)
	}
	gone := errors.New("the store is gone")
	if _, err := Open("a file", failing{gone}, 1000, testSchema()); !errors.Is(err, gone) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), `"a file"`) {
		t.Error(err)
	}
	if err := readAll(nil); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// FuzzRead: any bytes, sealed, give vectors or an error.
func FuzzRead(f *testing.F) {
	body := mustFile(f, randomRows(rand.New(rand.NewPCG(1, 5)), 40), 25)
	f.Add(body)
	rng := rand.New(rand.NewPCG(1, 6))
	for range 300 {
		damaged := slices.Clone(body)
		for range 1 + rng.IntN(3) {
			damaged[rng.IntN(len(damaged))] ^= byte(1 + rng.IntN(255))
		}
		f.Add(damaged)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_ = readAll(body)
		if sealed, err := seal.WithFooter(slices.Clone(body)); err == nil {
			_ = readAll(sealed)
		}
	})
}

// FuzzDecode: any bytes of a page give values or an error.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{3, 0x88, 0xc6, 0xfa, 2, 5}, uint16(13))
	f.Add([]byte{128, 1, 4, 13, 2, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, uint16(13))
	f.Fuzz(func(t *testing.T, body []byte, n uint16) {
		if len(body) == 0 {
			return
		}
		_ = decodeRuns(make([]int32, n), body[1:], uint(body[0]%33))
		_ = decodeDelta(make([]int64, n), body)
		_, _ = decodeDictionary(body, int(n))
	})
}

// textRow has text that is written without a dictionary: by its schema, or because its dictionary would be too large.
type textRow struct {
	ID    string  `parquet:"id"`
	Few   string  `parquet:"few,dict"`
	Many  string  `parquet:"many,dict"`
	Props *string `parquet:"props,optional,dict"`
}

// TestPlainText: other readers find text without a dictionary as it was.
func TestPlainText(t *testing.T) {
	const n = 1000
	var rows []textRow
	vectors := make([]Vector, 4)
	add := func(v *Vector, s string) {
		code := slices.Index(v.Dict, s)
		if code < 0 {
			code = len(v.Dict)
			v.Dict = append(v.Dict, s)
		}
		v.Codes = append(v.Codes, int32(code))
	}
	for i := range n {
		r := textRow{ID: fmt.Sprint("id-", i), Few: fmt.Sprint(i % 3), Many: fmt.Sprint("value ", i/2)}
		if i%3 > 0 {
			s := strings.Repeat("p", i)
			r.Props = &s
			add(&vectors[3], s)
		} else {
			vectors[3].Codes = append(vectors[3].Codes, -1)
		}
		add(&vectors[0], r.ID)
		add(&vectors[1], r.Few)
		add(&vectors[2], r.Many)
		rows = append(rows, r)
	}
	schema, err := NewSchema(textRow{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(schema, Options{CreatedBy: "test", PageRows: 300, DictionaryBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RowGroup(n, vectors); err != nil {
		t.Fatal(err)
	}
	file, err := w.Close(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pq.Read[textRow](bytes.NewReader(file), int64(len(file)))
	if err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("other rows were read, %v", err)
	}
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, false, false} {
		if got := f.Metadata().RowGroups[0].Columns[i].MetaData.DictionaryPageOffset > 0; got != want {
			t.Errorf("column %d has a dictionary: %v, want %v", i, got, want)
		}
	}
}

// TestRows: any range of rows is what the whole column has there, and no more is read than its pages, and the dictionary.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	rows := randomRows(rng, 2500)
	body := mustFile(t, rows, 1000)
	want := vectorsOf(rows)
	x, err := OpenIndexed("ranges", bytes.NewReader(body), int64(len(body)), testSchema())
	if err != nil {
		t.Fatal(err)
	}
	columns := testSchema().Columns
	r := &Rows{File: x, Reader: bytes.NewReader(body)}
	var v Vector
	for range 300 {
		r.Group = rng.IntN(x.Groups())
		r.From = rng.IntN(x.GroupRows(r.Group))
		r.To = r.From + 1 + rng.IntN(x.GroupRows(r.Group)-r.From)
		for i := range columns {
			if err := r.Column(i, &v); err != nil {
				t.Fatal(err)
			}
			base := 1000 * r.Group
			for k := range r.To - r.From {
				at := base + r.From + k
				if columns[i].Kind == Text {
					if got, is := textAt(&v, k), textAt(&want[i], at); got != is {
						t.Fatalf("column %s, row %d: %q, want %q", columns[i].Name, at, got, is)
					}
					continue
				}
				if v.Ints[k] != want[i].Ints[at] || columns[i].Optional && v.Null[k] != want[i].Null[at] {
					t.Fatalf("column %s, row %d: %d, want %d", columns[i].Name, at, v.Ints[k], want[i].Ints[at])
				}
			}
			if columns[i].Kind == Bool {
				set := make([]uint64, (r.To-r.From+63)/64)
				if err := r.Bits(i, set); err != nil {
					t.Fatal(err)
				}
				for k := range v.Ints {
					if int64(set[k/64]>>(k%64)&1) != v.Ints[k] {
						t.Fatalf("bit %d of rows %d to %d is not the row's", k, r.From, r.To)
					}
				}
			}
			for page := range x.Pages(r.Group, i) {
				from, to := x.PageRows(r.Group, i, page)
				if lo, hi, ok := x.PageTexts(r.Group, i, page); ok && columns[i].Name == "site" {
					if lo != textAt(&want[i], base+from) || hi != textAt(&want[i], base+to-1) {
						t.Fatalf("bounds of rows %d to %d are %q, %q", from, to, lo, hi)
					}
				}
			}
		}
	}
	// A page that is damaged is an error where it is read.
	damaged := slices.Clone(body)
	p := x.groups[0][0].pages[0]
	damaged[p.Offset+int64(p.CompressedPageSize)-1] ^= 1
	r = &Rows{File: x, Reader: bytes.NewReader(damaged), To: 10}
	if err := r.Column(0, &v); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "ranges") {
		t.Errorf("of a damaged page: %v", err)
	}
	r.From, r.To = 500, 510
	if err := r.Column(0, &v); err != nil {
		t.Errorf("of a page behind a damaged one: %v", err)
	}
}

func textAt(v *Vector, row int) string {
	if v.Codes[row] < 0 {
		return "none"
	}
	return v.Dict[v.Codes[row]]
}
