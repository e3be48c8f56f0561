package geo

import (
	"strconv"

	"github.com/oschwald/maxminddb-golang/v2/mmdbdata"

	"millrace/ingest/identity"
)

// record is what is read of a record. It implements mmdbdata.CursorUnmarshaler, because the same key is a map in one database
// and a text in another, which decoding into a struct refuses:
//
//	MaxMind, DB-IP     {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}],
//	                    "city": {"geoname_id": 5368361, "names": {"en": "Los Angeles"}}}
//	flat               {"country_code": "US", "city": "Los Angeles"}, with "region_code" at some, or "country": "US"
type record struct {
	names bool // read names also where there is a code

	country    string
	region     part
	regionCode string // of flat records
	city       part
}

// part is what is in a map of its own: a country, a subdivision, a city.
type part struct {
	code string // iso_code
	id   uint64 // geoname_id
	name string // names.en
}

// maxText bounds the texts that are read: a longer one is an error of the database.
const maxText = 256

// place is what the record says.
func (r *record) place() identity.Place {
	city := r.city.name
	if r.city.id != 0 {
		city = strconv.FormatUint(r.city.id, 10)
	}
	region := r.region.code
	if region == "" {
		region = r.regionCode
	}
	return identity.NewPlace(r.country, region, city)
}

// UnmarshalMaxMindDBCursor reads a record. What is in it besides is passed over.
func (r *record) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	if kind, err := c.Kind(); err != nil || kind != mmdbdata.KindMap {
		return skip(c, err)
	}
	return eachKey(c, func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
		switch string(key) {
		case "country":
			var p part
			next, err := p.read(c, false)
			if r.country == "" {
				r.country = p.code
			}
			if r.country == "" {
				r.country = p.name // of flat records
			}
			return next, err
		case "country_code":
			return readText(c, &r.country)
		case "region_code":
			return readText(c, &r.regionCode)
		case "subdivisions":
			return r.readSubdivisions(c)
		case "city":
			return r.city.read(c, r.names)
		}
		return c.Skip()
	})
}

// readSubdivisions reads the first of a list.
func (r *record) readSubdivisions(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	if kind, err := c.Kind(); err != nil || kind != mmdbdata.KindSlice {
		return skip(c, err)
	}
	list, err := c.Slice()
	if err != nil {
		return mmdbdata.Cursor{}, err
	}
	var next mmdbdata.Cursor
	for {
		i, item, ok := list.Next(next)
		if !ok {
			return list.End()
		}
		if i == 0 {
			next, err = r.region.read(item, r.names)
		} else {
			next, err = item.Skip()
		}
		if err != nil {
			return mmdbdata.Cursor{}, err
		}
	}
}

// read reads a part, or the text that is in its place. The name is read if it is asked for, and where there is no code.
func (p *part) read(c mmdbdata.Cursor, name bool) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err == nil && kind == mmdbdata.KindString {
		return readText(c, &p.name)
	}
	if err != nil || kind != mmdbdata.KindMap {
		return skip(c, err)
	}
	return eachKey(c, func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
		switch string(key) {
		case "iso_code":
			return readText(c, &p.code)
		case "geoname_id":
			return readID(c, &p.id)
		case "names":
			if name || p.code == "" && p.id == 0 {
				return readEnglish(c, &p.name)
			}
		}
		return c.Skip()
	})
}

// readEnglish reads the name in English from a map of names by language.
func readEnglish(c mmdbdata.Cursor, to *string) (mmdbdata.Cursor, error) {
	if kind, err := c.Kind(); err != nil || kind != mmdbdata.KindMap {
		return skip(c, err)
	}
	return eachKey(c, func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
		if string(key) == "en" {
			return readText(c, to)
		}
		return c.Skip()
	})
}

// readText reads a text; what is none is passed over.
func readText(c mmdbdata.Cursor, to *string) (mmdbdata.Cursor, error) {
	if kind, err := c.Kind(); err != nil || kind != mmdbdata.KindString {
		return skip(c, err)
	}
	s, next, err := c.ReadStringMaxSize(maxText)
	*to = s
	return next, err
}

// readID reads a number; what is none is passed over.
func readID(c mmdbdata.Cursor, to *uint64) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil {
		return mmdbdata.Cursor{}, err
	}
	switch kind {
	case mmdbdata.KindUint16, mmdbdata.KindUint32, mmdbdata.KindUint64:
		n, next, err := c.ReadUint()
		*to = n
		return next, err
	}
	return c.Skip()
}

// eachKey reads a map: fn reads or skips the value of a key and returns what follows.
func eachKey(c mmdbdata.Cursor, fn func(key []byte, c mmdbdata.Cursor) (mmdbdata.Cursor, error)) (mmdbdata.Cursor, error) {
	m, err := c.Map()
	if err != nil {
		return mmdbdata.Cursor{}, err
	}
	var next mmdbdata.Cursor
	for {
		key, value, ok := m.Next(next)
		if !ok {
			return m.End()
		}
		if next, err = fn(key, value); err != nil {
			return mmdbdata.Cursor{}, err
		}
	}
}

func skip(c mmdbdata.Cursor, err error) (mmdbdata.Cursor, error) {
	if err != nil {
		return mmdbdata.Cursor{}, err
	}
	return c.Skip()
}
