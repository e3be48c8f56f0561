package identity

import (
	"net/netip"
	"strings"

	"github.com/phuslu/iploc"
)

// Country returns the ISO 3166-1 alpha-2 code of the country an address is registered in, "" where unknown or
// private. This site or product includes IP2Location LITE data available from http://www.ip2location.com.
func Country(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return CountryCode(iploc.IPCountry(addr.Unmap().WithZone("")))
}

// CountryCode returns s if it is a code that names a country, in capitals, and "" otherwise: XX, T1 (Tor), ZZ, A1 and their
// like, which networks use for "unknown", are not countries.
func CountryCode(s string) string {
	if len(s) != 2 {
		return ""
	}
	if s[0]|0x20 < 'a' || s[0]|0x20 > 'z' || s[1]|0x20 < 'a' || s[1]|0x20 > 'z' {
		return ""
	}
	switch s = strings.ToUpper(s); s {
	case "XX", "ZZ", "AP", "EU": // of no country, or of a region
		return ""
	}
	return s
}

// HostCountry is Country for the host field of an access log; of a host name it is unknown.
func HostCountry(host string) string {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	return Country(addr)
}
