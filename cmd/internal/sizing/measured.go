package sizing

// What was measured on 30 November 2026 on two virtual cores of an AMD EPYC, with 24 GiB, go1.26.8 and
// a load average of 25 to 36 by other programs. The runs:
//
//	A  millrace-verify roles --rate 150 --batch 1 --sites 900 --for 190s --warm-up 40s
//	B  millrace-verify roles --rate 150 --batch 1 --sites 90 --for 190s --warm-up 40s
//	C  millrace-verify roles --rate 1500 --batch 50 --sites 90 --for 130s --warm-up 30s
//	E  millrace-verify roles --rate 150 --batch 1 --sites 9000 --for 100s --warm-up 25s (98 a second were sent)
//	D  millrace bench engine --events 300000 --batch 100 --early
//	F  millrace-verify soak --rate 60 --batch 2 --sites 20 --for 7m
//	S  millrace-verify soak --rate 500 --batch 10 --sites 200 --serve=--retention=6h
//
// In A, B and E 1.4, 1.3 and 1.4 events share a record, in C 13, in S 5. Processor time has what a process
// without load takes subtracted: of process 7, emit 5.5, archive 4.5 thousandths of a core.

// firedPoints is how many points of windows are written to the topic for an event, by events of a site
// in a minute: E, A, B, C; D by its bytes.
var firedPoints = table{{0.65, 47.7}, {10, 36.6}, {100, 24.7}, {1000, 7.44}, {6000, 3.2}}

// windowsBytes is what an event takes in millrace.windows: A, B, C; E has 1,100.
var windowsBytes = table{{10, 1138}, {100, 1015}, {1000, 659}}

// steady is what both have to be multiplied by. Runs of three minutes have one quarter of visits and no
// hour open; a server that runs for hours writes several of them again each minute. S has 1,926 bytes
// an event in millrace.windows, the table without it 1,074.
const steady = 1.8

// Processor time in microseconds. Of a record is what it costs to hand it on, be one event in it or a
// hundred. A to C solved for it: what comes out for A is 4 % below what was
// measured, for D 11 % below, for E 3 % above.
const (
	processRecordMicros = 339
	processEventMicros  = 3
	processPointMicros  = 2.85
	emitPointMicros     = 7 // 8.3 in A, 6.0 in B, 7.0 in C, 4.1 in E
	archiveRecordMicros = 146
	archiveEventMicros  = 7.4
	queryMicros         = 1100 // of five kinds, over a day that is young: 700 to 1,130
)

// collectMicros is for beacons that come one to a request, by events of a record: B, and of a collector
// that is busy bench/results/2026-11-30-collect.txt.
var collectMicros = table{{1.3, 245}, {100, 24}}

// eventsBytes and changelogBytes are what an event takes in the log, compressed, by events of a record: B, S, C.
var (
	eventsBytes    = table{{1.3, 423}, {5, 198}, {13, 132}}
	changelogBytes = table{{1.3, 284}, {5, 147}, {13, 104}}
)

// parquetBytes is what an event takes in the archive, by events of a file: F, S, B, C.
var parquetBytes = table{{75, 182}, {625, 54}, {2250, 41}, {22_500, 29}}

// What an event takes in hits and visits: go test -v -run TestSizes ./emit/lake/hitmerge -hours 24 -rate 12. In files of a day a hit takes
// hitBytes, and the visits hitVisitBytes for each hit; in the files of a minute, which are merged within the hour and deleted an hour later, a hit
// segmentHitBytes, and each file segmentFileBytes whatever is in it.
const (
	hitBytes         = 15.5
	hitVisitBytes    = 7.1
	segmentHitBytes  = 36
	segmentFileBytes = 9000
)

// putsOfMinute is how often a partition puts an object when it has been a minute (--archive-every): events, progress, hits, visits, checkpoint, and
// an entry in the log of each table. A day that begins, and whose visits of the day before go on, has one more of hits and visits.
const putsOfMinute = 7

// hitCache is what a process that answers keeps of files of hits, where they are in a bucket.
const hitCache = 256 << 20

// idleCores is what a process without load takes, of a core: C.
var idleCores = map[string]float64{"collect": 0.0005, "process": 0.007, "emit": 0.0055, "archive": 0.0045}

// minutePoints and visitPoints are points of final windows for an event, by events of a window: E, A, B, C. Hours
// have the families of minutes and take their table.
var (
	minutePoints = table{{3.7, 8.3}, {9.8, 5.28}, {78, 2.52}, {659, 0.696}}
	visitPoints  = table{{4.7, 6.5}, {31, 2.91}, {313, 1.17}, {2168, 0.352}}
)

// Bytes. localPointBytes: replay of 632,777 events of S into an empty store,
// 324 bytes an event for 5.3 points.
const (
	localPointBytes = 61
	// InfluxDB 1.8.10, the same replay, 1,094,935 points in: 192 MB of TSM files and index, before their
	// last compaction.
	influxPointBytes = 175
	stateBytes       = 85 // S, most of it
)

// Memory of a process: RSS of B, and what A has more of for each site, C for each event a second. It is doubled
// where it holds hours and visits: S, all in one process, has 1.2 GB where these give 0.7. Of emit 100 MB were
// measured while the block cache of the local store held nothing; it has 32 MiB.
var (
	baseMemory    = map[string]float64{"collect": 70e6, "process": 400e6, "emit": 134e6, "archive": 90e6, "query": 100e6 + hitCache}
	perSiteMemory = map[string]float64{"collect": 2e3, "process": 200e3, "emit": 13e3, "archive": 4e3, "query": 0}
	perRateMemory = map[string]float64{"process": 480e3, "archive": 77e3}
)
