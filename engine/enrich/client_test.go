package enrich

import (
	"fmt"
	"reflect"
	"testing"

	"millrace/engine/event"
)

func TestScreen(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := screen(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f("", "(none)")
	f("x", "(none)")
	f("0x0", "(none)")
	f("320", "(none)")
	f("1234567x1", "(none)")
	f("-5x5", "(none)")
	f("1x0", "Mobile")
	f("575x900", "Mobile")
	f("576x900", "Tablet")
	f("991x1", "Tablet")
	f("992x1", "Laptop")
	f("1439x1", "Laptop")
	f("1440x900", "Desktop")
	f("999999x1", "Desktop")
}

func TestPlace(t *testing.T) {
	f := func(fn func(string) string, in, want string) {
		t.Helper()
		if got := fn(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f(region, "", "")
	f(region, "US-CA", "US-CA")
	f(region, "at-9", "AT-9")
	f(region, "GB-LND", "GB-LND")
	f(region, "CA", "")
	f(region, "US-", "")
	f(region, "US_CA", "")
	f(region, "US-CALI", "")
	f(region, "1S-CA", "")
	f(region, "US-C\xff", "")
	f(city, "", "")
	f(city, "2643743", "2643743")
	f(city, "0", "")
	f(city, "02", "")
	f(city, "London", "London")
	f(city, "(other)", "")
	f(city, "Lon\\don ", "Lon/don")
	f(city, "Lon\x00don", "")
	f(city, "12345678901", "")
	f(hostname, "www.example.com", "example.com")
	f(hostname, "", "(none)")
	f(hostname, "a b", "(none)")
	f(hostname, "bücher.example", "bücher.example")
	f(hostname, "[::1]", "[::1]")
}

func TestProps(t *testing.T) {
	f := func(in, want []event.Prop) {
		t.Helper()
		if got := props(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	f(nil, nil)
	f([]event.Prop{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, []event.Prop{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}})
	f([]event.Prop{{Key: "b", Value: "2"}, {Key: "a", Value: ""}}, []event.Prop{{Key: "a", Value: "(none)"}, {Key: "b", Value: "2"}})
	f([]event.Prop{{Key: "", Value: "1"}, {Key: " \t", Value: "1"}, {Key: "(none)", Value: "x\\y"}}, []event.Prop{{Key: "(none)", Value: "x/y"}})
	f([]event.Prop{{Key: "a", Value: "1"}, {Key: "a\x00", Value: "2"}}, []event.Prop{{Key: "a", Value: "1"}})

	many := make([]event.Prop, 40)
	for i := range many {
		many[i] = event.Prop{Key: fmt.Sprintf("%02d", i), Value: "v"}
	}
	f(many, many[:MaxProps])
	backwards := make([]event.Prop, 40)
	for i := range many {
		backwards[39-i] = many[i]
	}
	f(backwards, many[:MaxProps])
}
