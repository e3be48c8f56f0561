package event

import "strings"

// ServerSuffix is the end of the Client of an event that a trusted server sent without its visitor's user
// agent: the one that the event has is the server's, and says nothing about a bot.
const ServerSuffix = ".server"

// FromServer reports whether the user agent of an event is that of a trusted server.
func (e *Event) FromServer() bool { return strings.HasSuffix(e.Client, ServerSuffix) }

// IsPing reports whether an event is a Ping. Collectors of before that field wrote those of Plausible's
// tracker as events of the visitor's, which are in logs and archives: by what they have in common
// they are found there. It is the one place outside a protocol's own that knows one by its name.
func (e *Event) IsPing() bool {
	return e.Ping || e.NonInteractive && e.Name == "engagement" && e.Client == "plausible"
}
