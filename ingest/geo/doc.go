// Package geo looks up where an address is in one or more MaxMind DB files of the operator's own.
//
// In go the files (GeoLite2-City, GeoIP2-City, DB-IP City and databases of that format with flat records, such as
// ip-location-db's) and addresses; out come an identity.Place for an address, and the English names of the codes that are in
// places.
//
// Invariants:
//   - A file is read whole and every record in it once before it is used: a damaged one, or one that says nothing about
//     places, is refused with an error that names it, and the one in use stays.
//   - Of several files, each fills in what those before it do not know, and never contradicts them. A file of IPv4 alone
//     says nothing about an IPv6 address.
//   - It is read into memory and not mapped: a mapped file that somebody shortens ends the process.
//   - The file is looked at every Options.CheckEvery, and a changed one read when it was the same twice in a row: it is not
//     being written then.
//   - Addresses that are not public have no place, and no address is kept.
//
// A region is the country and the iso_code of the first of the subdivisions, the largest: databases that have the names of
// subdivisions alone (DB-IP Lite) tell no region. A city is its GeoNames id where the record has it, else its English name. So it
// is in the API that we speak (Plausible's): ids tell Portland in Oregon from Portland in Maine, and do not change with the spelling.
//
// Units: a lookup takes 0.1 to 0.3 µs, 0.7 to 0.9 µs of a record that was not asked for lately; a DB has the size of its file in memory, and the
// names, some 10 MB for all cities of the world.
//
// Methods of DB may be called from any goroutine; cmd opens one for the collector and the query API. Package geotest writes
// small files for tests.
//
// It does not: fetch databases, decide between a database and what a proxy says (identity.Locate does), or know other languages.
package geo
