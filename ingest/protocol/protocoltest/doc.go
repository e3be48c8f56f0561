// Package protocoltest checks what the readers of protocols make of any bytes. In go the Readings of
// a fuzz target; NotJSON has bodies that are no JSON, which every reader of JSON must refuse.
//
// The scripts of all protocols are played by the tests of package all, which link a collector and a
// broker. This package links neither, and nor do the tests of a protocol's own folder.
//
//	func FuzzRead(f *testing.F) {
//		f.Fuzz(func(t *testing.T, body []byte) {
//			var p protocol.Parser
//			err := read(&p, body)
//			protocoltest.Reading{Body: body, Inputs: p.Inputs(), Err: err, Now: now}.Check(t)
//		})
//	}
package protocoltest
