package hitmerge

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
)

var days = flag.Int("days", 5, "how many days are simulated")

// traffic is what a simulated partition gets: how many rows a minute, and what besides.
type traffic struct {
	name    string
	rows    func(rng *rand.Rand, minute int) int64
	late    float64 // share of minutes that bring rows of an older day
	oldest  int     // how many days back they go
	imports int     // old days that are imported at some time, in pieces
}

var allTraffic = []traffic{
	{name: "steady", rows: func(rng *rand.Rand, _ int) int64 { return 40 + rng.Int64N(40) }, late: 0.01, oldest: 3},
	{name: "giant", rows: func(rng *rand.Rand, m int) int64 { return 12_000 + rng.Int64N(6_000) }, late: 0.3, oldest: 2},
	{name: "tiny", rows: func(rng *rand.Rand, _ int) int64 { return max(0, rng.Int64N(30)-27) }, late: 0.001, oldest: 9},
	{name: "silent for days", rows: func(rng *rand.Rand, m int) int64 {
		if m/1440%5 > 0 {
			return 0
		}
		return rng.Int64N(100)
	}, late: 0.002, oldest: 5},
	{name: "always late", rows: func(rng *rand.Rand, _ int) int64 { return rng.Int64N(30) }, late: 1, oldest: 4},
	{name: "imports", rows: func(rng *rand.Rand, _ int) int64 { return rng.Int64N(20) }, late: 0.01, oldest: 3, imports: 12},
}

// table is a simulated partition's files.
type table struct {
	t       *testing.T
	files   []*commits.File
	rows    map[event.Time]int64 // that came, by day
	came    int64
	written int64 // by merges
	merges  int
	most    int // files at a time
	number  int
}

func (s *table) add(of commits.Table, day event.Time, level commits.Level, first, next, rows int64) {
	s.number++
	s.files = append(s.files, &commits.File{Table: of, Key: fmt.Sprint(s.number), Day: day, Level: level, First: first, Next: next, Rows: rows, Size: rows})
	s.most = max(s.most, len(s.files))
}

func (s *table) arrive(day event.Time, first, next, rows int64) {
	if rows == 0 {
		return
	}
	s.rows[day] += rows
	s.came += rows
	s.add(commits.Hits, day, commits.Segment, first, next, rows)
}

// merge does what is planned and reports whether there was something.
func (s *table) merge(rng *rand.Rand, next int64, watermark event.Time) bool {
	rng.Shuffle(len(s.files), func(i, j int) { s.files[i], s.files[j] = s.files[j], s.files[i] })
	plan := Plan(s.files, next, watermark, Policy{})
	if plan == nil {
		return false
	}
	policy := Policy{}.withDefaults()
	if n := len(plan.Inputs); n < 2 || n > policy.Inputs || plan.Rows() > policy.MaxRows {
		s.t.Fatalf("a plan of %d files and %d rows", n, plan.Rows())
	}
	for _, f := range plan.Inputs {
		i := slices.Index(s.files, f)
		if i < 0 || f.Day != plan.Day || f.Table != plan.Table {
			s.t.Fatalf("%v: %+v", plan, f)
		}
		s.files = slices.Delete(s.files, i, i+1)
	}
	from, to := plan.Range()
	s.add(plan.Table, plan.Day, plan.Level, from, to, plan.Rows())
	s.written += plan.Rows()
	s.merges++
	return true
}

// simulate runs days of a partition, one segment a minute and at most one merge, and then lets it come to rest.
func simulate(t *testing.T, tr traffic, seed uint64, days int) *table {
	rng := rand.New(rand.NewPCG(seed, 8))
	s := &table{t: t, rows: map[event.Time]int64{}}
	start := event.Time(20_000) * dayLength
	offset := int64(0)
	imported := map[int]int{}
	for i := range tr.imports {
		imported[rng.IntN(days*1440)] = i + 1
	}
	for m := range days * 1440 {
		now := start + event.Time(m)*event.Minute
		next := offset + 60 + rng.Int64N(60)
		rows, day := tr.rows(rng, m), now.Floor(dayLength)
		if rows > 0 && now-day < 3*event.Hour { // visits that began before midnight
			s.arrive(day-dayLength, offset, next, 1+rows/10)
		}
		s.arrive(day, offset, next, rows)
		if rows > 0 && rng.Float64() < tr.late {
			s.arrive(day-event.Time(1+rng.IntN(tr.oldest))*dayLength, offset, next, 1+rng.Int64N(3))
		}
		if i := imported[m]; i > 0 {
			for range 1 + rng.IntN(30) {
				s.arrive(start-event.Time(i%4)*dayLength, offset, next, 1+rng.Int64N(200_000))
			}
		}
		offset = next
		s.merge(rng, offset, now-10*event.Second)
	}
	end := start + event.Time(days)*dayLength
	offset += quietRecords
	for s.merge(rng, offset, end+2*dayLength) {
	}
	return s
}

// TestPlan simulates days of partitions of all kinds: in the end each day has few files, no row is lost or double, files are never too
// many, and rows are written again a few times only.
func TestPlan(t *testing.T) {
	for _, tr := range allTraffic {
		for seed := range uint64(1) {
			s := simulate(t, tr, seed, *days)
			policy := Policy{}.withDefaults()
			files, rows := map[event.Time]int{}, map[event.Time]int64{}
			for _, f := range s.files {
				files[f.Day]++
				rows[f.Day] += f.Rows
			}
			worst := 0
			for day, want := range s.rows {
				if rows[day] != want {
					t.Errorf("%s: %d rows of %v, %d came", tr.name, rows[day], day, want)
				}
				worst = max(worst, files[day])
				if full := int(want / (policy.MaxRows / 2)); files[day] > max(policy.DayFiles, full+1) {
					t.Errorf("%s: %d files of %v with %d rows", tr.name, files[day], day, want)
				}
			}
			again := float64(s.written) / float64(s.came)
			t.Logf("%-16s %9d rows, merged %.2f times in %d merges; at most %d files at a time, %d a day in the end", tr.name, s.came, again, s.merges, s.most, worst)
			if again > 2.6 {
				t.Errorf("%s: each row was written again %.2f times", tr.name, again)
			}
			if s.most > 60*(2+tr.oldest)+200 {
				t.Errorf("%s: %d files at a time", tr.name, s.most)
			}
		}
	}
}

// TestPlanEnds: whatever files there are, planning and merging ends, and does nothing but make files fewer.
func TestPlanEnds(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		s := &table{t: t, rows: map[event.Time]int64{}}
		for range rng.IntN(300) {
			first := rng.Int64N(1000)
			s.add(commits.Table(rng.IntN(2)), event.Time(rng.IntN(3))*dayLength, commits.Level(rng.IntN(3)), first, first+1+rng.Int64N(1000), 1+int64(1)<<rng.IntN(23))
		}
		before := len(s.files)
		watermark := event.Time(rng.IntN(5)) * dayLength
		for s.merge(rng, rng.Int64N(10_000), watermark) {
			if s.merges > before {
				t.Fatalf("seed %d: %d merges of %d files", seed, s.merges, before)
			}
		}
	}
}
