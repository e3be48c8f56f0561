// Package influx reads rollups from InfluxDB, in the InfluxQL that 1.x, 2.x and 3.x share.
//
// In goes a [window.Selection]; out come points, streamed in ascending order of their window, the sites, and how far
// each partition has been counted. What emit/influx has written is what is read here:
//
//	page,page=/pricing,site=example.com events=3i,pageviews=3i,visitors=2i,sketch="…",version=1234i,final=true 1700000040
//	page_hour,page=/pricing,site=example.com events=90i,pageviews=90i,visitors=70i,revenue=0i,sketch="…",version=9999i,final=true 1699999200
//	source_visits,site=example.com,source=Google visits=3i,bounces=1i,seconds=300i,views=9i,version=9999i,final=true 1700000100
//	progress,partition=3 low=1700000040000i,hours=1699999200000i,offset=1234i 1700000040
//
// Invariants:
//   - Measurements, tags and fields in a query come from the table of families; text of others only through
//     influxdb.Quote. No value can change what a query means.
//   - A point whose counters are all zero is not there: it stands for a value that a replay took away.
//   - Memory is bounded by one chunk of the answer, whatever the range.
//   - A database that does not exist yet is an empty one.
//   - A point that is not as emit/influx writes it is an error that names it; nothing is silently left out.
//
// Units: times are event.Time (ms) on this side and nanoseconds or seconds in queries and answers; sketches are in the
// encoding of package sketch.
//
// The package query calls it, through an interface of its own. A Reader may be used by any number of goroutines.
//
// It does not add anything up: counters of shards are summed, and sketches united, by who asks.
package influx
