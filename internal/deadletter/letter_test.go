package deadletter

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/internal/kafka"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Letter{
			Topic:     rapid.StringN(1, 20, -1).Draw(t, "topic"),
			Partition: rapid.Int32().Draw(t, "partition"),
			Offset:    rapid.Int64().Draw(t, "offset"),
			Reason:    rapid.String().Draw(t, "reason"),
			Key:       rapid.String().Draw(t, "key"),
		}
		if rapid.Bool().Draw(t, "has a value") {
			want.Value = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "value")...)
			want.Size = len(want.Value)
		}
		b := want.Append([]byte("head"))
		got, err := Parse(b[4:])
		if err != nil || !reflect.DeepEqual(got, want) || string(b[:4]) != "head" {
			t.Fatalf("%+v reads back as %+v, %v\n%s", want, got, err, b)
		}
	})
}

func TestForm(t *testing.T) {
	l := Letter{Topic: "millrace.windows", Partition: 3, Offset: 17, Reason: "<bad>", Value: []byte("x")}
	const want = `{"v":1,"topic":"millrace.windows","partition":3,"offset":17,"reason":"<bad>","value":"eA=="}`
	if got := string(l.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	long := Letter{Topic: "t", Value: bytes.Repeat([]byte("x"), MaxValue+1),
		Reason: strings.Repeat("\x00", kafka.MaxRecordBytes), Key: strings.Repeat("\x00", kafka.MaxRecordBytes)}
	if n := len(long.Append(nil)); n > kafka.MaxRecordBytes-100<<10 {
		t.Errorf("the largest letter has %d bytes, a record %d", n, kafka.MaxRecordBytes)
	}
	got, err := Parse(long.Append(nil))
	if err != nil || len(got.Value) != MaxValue || got.Size != MaxValue+1 {
		t.Errorf("a long value: %d bytes of %d, %v", len(got.Value), got.Size, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"v":1,"topic":"t","partition":0,"offset":0,"reason":"","value":""}`))
	f.Add([]byte(`{"v":2,"topic":"t"}`))
	f.Add([]byte(`{"v":1,"topic":"t","value":null,"size":-1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrLetter) {
				t.Fatal(err)
			}
			return
		}
		if len(l.Reason) > MaxText || len(l.Key) > MaxText {
			return // is cut
		}
		again, err := Parse(l.Append(nil))
		if err != nil || !reflect.DeepEqual(again, l) {
			t.Fatalf("%+v reads back as %+v, %v", l, again, err)
		}
	})
}
