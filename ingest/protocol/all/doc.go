// Package all is the list of the protocols that the collector speaks.
//
// It is the one place of the program besides a protocol's own folder that is changed when a protocol
// is added: a line here. cmd passes the list to the collector (ingest.Options.Protocols).
package all
