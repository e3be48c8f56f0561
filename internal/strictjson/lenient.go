package strictjson

import "github.com/valyala/fastjson"

// ParseLenient reads what fastjson takes for JSON. It is for texts that Parser.Parse does not read,
// which are refused in any case: by what is wrong with a field, if the reader would rather say that,
// else by Check. It makes new memory for each Value. Objects and arrays have no text to Append.
func ParseLenient(text []byte) (*Value, error) {
	v, err := fastjson.ParseBytes(text)
	if err != nil {
		return nil, err
	}
	return valueOf("", v), nil
}

func valueOf(key string, of *fastjson.Value) *Value {
	v := &Value{key: key}
	switch of.Type() {
	case fastjson.TypeObject:
		v.kind = TypeObject
		of.GetObject().Visit(func(key []byte, kid *fastjson.Value) {
			v.kids = append(v.kids, valueOf(string(key), kid))
		})
	case fastjson.TypeArray:
		v.kind = TypeArray
		for _, kid := range of.GetArray() {
			v.kids = append(v.kids, valueOf("", kid))
		}
	case fastjson.TypeString:
		v.kind, v.text = TypeString, string(of.GetStringBytes())
	case fastjson.TypeNumber:
		v.kind, v.text = TypeNumber, string(of.MarshalTo(nil))
	case fastjson.TypeTrue:
		v.kind, v.text = TypeTrue, "true"
	case fastjson.TypeFalse:
		v.kind, v.text = TypeFalse, "false"
	case fastjson.TypeNull:
		v.text = "null"
	}
	return v
}
