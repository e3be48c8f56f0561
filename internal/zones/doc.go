// Package zones loads time zones by the names of the database that the program carries (time/tzdata), and
// by no other.
//
// In goes a name of IANA's, such as Europe/Berlin; out comes its *time.Location, or an error that says what
// may have been meant. time.LoadLocation alone takes whatever file the machine has: localtime, posixrules,
// Factory and right/Europe/Berlin load on one machine and not on the next, and mean other things on each.
//
// Invariants:
//   - A name is in names.txt exactly as it is given, or it is refused: case counts.
//   - Every name in names.txt loads on a machine without zone files, as long as the program imports
//     time/tzdata.
//
// names.txt is the listing of lib/time/zoneinfo.zip of the Go release in go.mod; a test compares the two.
// Factory is left out: it stands for "the time zone of this machine has not been set".
// The rules of a zone are the machine's where it has the file, which may be newer, and else those carried
// along.
package zones
