package influxdb

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"
)

// Config says where a database is and how to get in.
type Config struct {
	// Base is the server's address, http or https, with a path if it lies behind one.
	Base url.URL
	// DB is the database; RP the retention policy, "" for the default one.
	DB, RP string
	// User and Password are sent as basic authentication if User is not "".
	User, Password string
	// Token is sent as "Authorization: Token …" if there is no User.
	Token string
	// Org and Bucket select the write API of 2.x if both are given. Reading needs a mapping of DB to the bucket
	// there; 2.x makes one by itself for a bucket that is named as the database.
	Org, Bucket string
}

// ParseURL reads a Config from
//
//	http[s]://[user:password@]host:port[/prefix]/db[?rp=…&token=…&org=…&bucket=…]
//
// With org and bucket the database may be left out: it is the bucket then.
func ParseURL(s string) (Config, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The error of url.Parse repeats its input, password included.
		return Config{}, errors.New("influx URL: not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Config{}, fmt.Errorf("influx URL %s: want http://host:port/database", u.Redacted())
	}
	c := Config{Base: url.URL{Scheme: u.Scheme, Host: u.Host}}
	dir, db := path.Split(strings.TrimSuffix(u.Path, "/"))
	c.Base.Path, c.DB = strings.TrimSuffix(dir, "/"), db
	if u.User != nil {
		c.User = u.User.Username()
		c.Password, _ = u.User.Password()
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, errors.New("influx URL: malformed parameters after the ?")
	}
	for key, v := range q {
		switch key {
		case "rp":
			c.RP = v[0]
		case "token":
			c.Token = v[0]
		case "org":
			c.Org = v[0]
		case "bucket":
			c.Bucket = v[0]
		default:
			return Config{}, fmt.Errorf("influx URL: unknown parameter %q (there are rp, token, org, bucket)", key)
		}
	}
	if c.DB == "" {
		c.DB = c.Bucket
	}
	return c, c.Validate()
}

// Validate reports what is missing or contradictory.
func (c *Config) Validate() error {
	var errs []error
	if c.DB == "" {
		errs = append(errs, errors.New("influx URL: no database: want http://host:port/database"))
	}
	if (c.Org == "") != (c.Bucket == "") {
		errs = append(errs, errors.New("influx URL: org and bucket go together"))
	}
	for _, s := range []string{c.DB, c.RP, c.Org, c.Bucket} {
		if strings.ContainsFunc(s, unicode.IsControl) {
			errs = append(errs, fmt.Errorf("influx URL: control character in %q", s))
		}
	}
	return errors.Join(errs...)
}

// V2 says whether points are written with the API of 2.x.
func (c *Config) V2() bool { return c.Org != "" && c.Bucket != "" }

// String returns the address and the database, without what is secret.
func (c Config) String() string { return c.Base.JoinPath(c.DB).Redacted() }
