package cli

import (
	"regexp"
	"strings"
)

// serviceLink matches the names of the variables that Kubernetes gives to each container for a
// service whose name begins with "millrace".
var serviceLink = regexp.MustCompile(`^MILLRACE_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)?)$`)

// ReservedVariable reports which variables are not settings: those of this project's tests and
// scripts, and those of Kubernetes. MILLRACE_PORT is Kubernetes' if it holds a URL; a number is a
// user's port.
func ReservedVariable(name, value string) bool {
	switch {
	case strings.HasPrefix(name, "MILLRACE_TEST_"),
		name == "MILLRACE_KAFKA_PORT", name == "MILLRACE_KAFKA_HOME", name == "MILLRACE_KAFKA_VERSION", name == "MILLRACE_SERVICES_DIR": // deploy's scripts'
		return true
	case strings.HasSuffix(name, "PORT") && !strings.Contains(name, "_SERVICE_") && !strings.HasSuffix(name, "_TCP_PORT") &&
		!strings.HasSuffix(name, "_UDP_PORT") && !strings.HasSuffix(name, "_SCTP_PORT"):
		return serviceLink.MatchString(name) && strings.Contains(value, "://")
	}
	return serviceLink.MatchString(name)
}
