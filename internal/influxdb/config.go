package influxdb

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"unicode"

	"millrace/internal/certs"
	"millrace/internal/secretfile"
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
	// PasswordFile and TokenFile are files with a Password and a Token, which are read again when they change.
	PasswordFile, TokenFile string
	// CA is a PEM file of authorities that are trusted in place of the system's, for https.
	CA string
	// Org and Bucket select the write API of 2.x if both are given. Reading needs a mapping of DB to the bucket
	// there; 2.x makes one by itself for a bucket that is named as the database.
	Org, Bucket string
}

var errNotURL = errors.New("influx URL: not a URL; percent-encode / : @ ? # in user and password")

// ParseURL reads a Config from
//
//	http[s]://[user[:password]@]host:port[/prefix]/db[?rp=…&token=…&org=…&bucket=…&password-file=…&token-file=…&ca=…]
//
// With org and bucket the database may be left out: it is the bucket then.
func ParseURL(s string) (Config, error) {
	// No error shows the URL or what url.Parse takes for a part of it: a password with an unescaped / or @ may be in any.
	u, err := url.Parse(s)
	if err != nil || strings.Contains(u.Host+u.Path, "@") || strings.Contains(s, "#") {
		return Config{}, errNotURL
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		if host, port, ok := strings.Cut(s, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
			return Config{}, fmt.Errorf("influx URL %s:%s: want http://host:port/database", host, port) // has no room for a password
		}
		return Config{}, errors.New("influx URL: want http://host:port/database")
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
		case "password-file":
			c.PasswordFile = v[0]
		case "token-file":
			c.TokenFile = v[0]
		case "ca":
			c.CA = v[0]
		default:
			if strings.Contains(key+v[0], "@") { // of an unescaped ?
				return Config{}, errNotURL
			}
			if q.Has("token") { // whose end it may be, behind an unescaped &
				key = "…"
			}
			return Config{}, fmt.Errorf("influx URL: unknown parameter %q (there are rp, token, org, bucket, password-file, token-file, ca)", key)
		}
	}
	if c.DB == "" {
		c.DB = c.Bucket
	}
	return c, c.Validate()
}

// Validate reports what is missing or contradictory, and files that can't be read.
func (c *Config) Validate() error {
	var errs []error
	if c.DB == "" {
		errs = append(errs, errors.New("influx URL: no database: want http://host:port/database"))
	}
	if (c.Org == "") != (c.Bucket == "") {
		errs = append(errs, errors.New("influx URL: org and bucket go together"))
	}
	if c.PasswordFile != "" && (c.User == "" || c.Password != "") {
		errs = append(errs, errors.New("influx URL: password-file wants a user, and no password: http://user@host:port/database?password-file=…"))
	}
	if c.TokenFile != "" && (c.User != "" || c.Token != "") {
		errs = append(errs, errors.New("influx URL: token-file wants neither a user nor a token"))
	}
	for name, path := range map[string]string{"password-file": c.PasswordFile, "token-file": c.TokenFile} {
		if path == "" {
			continue
		}
		if _, err := secretfile.Read(path, false); err != nil {
			errs = append(errs, fmt.Errorf("influx URL: %s: read %s: %w", name, path, err))
		}
	}
	switch {
	case c.CA == "":
	case c.Base.Scheme != "https":
		errs = append(errs, errors.New("influx URL: ca is for https"))
	default:
		if _, err := certs.Pool(c.CA); err != nil {
			errs = append(errs, fmt.Errorf("influx URL: ca: %w", err))
		}
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
