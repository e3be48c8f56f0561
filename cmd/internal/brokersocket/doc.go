// Package brokersocket lets commands on this machine use the embedded broker of a running serve: a
// Unix socket in the data folder, which only the folder's owner can enter.
//
//	socket, err := brokersocket.Listen(data, dial)        // serve
//	kgo.NewClient(kgo.Dialer(brokersocket.Dialer(data)))  // a command, with any seed address
//
// Each connection to the socket is one connection to the broker, byte for byte. Close ends all of
// them and waits for them.
//
// It is called by the server and by the commands about dead letters. It does not read Kafka's
// protocol.
package brokersocket
