package blob

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// S3Config is where a bucket is, and how to get in.
type S3Config struct {
	Endpoint string // host or host:port
	Bucket   string
	Prefix   string // before every key, without slashes at its ends; "" for none
	// Region signs the requests. "" is that of Amazon's host name; of AWS_REGION and AWS_DEFAULT_REGION
	// where the credentials are not AccessKey and Secret; or else us-east-1.
	Region string
	TLS    bool
	CA     string // PEM file of authorities that are trusted; "" for the system's
	Style  string // StylePath or StyleHost; "" is the host's on Amazon and its like, else the path's

	// AccessKey and Secret are the credentials. Without them they are found as the package comment
	// says.
	AccessKey, Secret string
	// CredentialsFile and Profile select a shared credentials file, and a section of it. If one of
	// them is given nothing else is looked for.
	CredentialsFile, Profile string
}

// Styles of addressing a bucket.
const (
	StylePath = "path" // https://host/bucket/key
	StyleHost = "host" // https://bucket.host/key
)

// ParseS3 reads an address of the form
// s3://KEY:SECRET@host:port/bucket/prefix?region=R&tls=true, with the settings that the package
// comment has.
func ParseS3(address string) (S3Config, error) {
	var c S3Config
	u, err := url.Parse(address)
	if err != nil || strings.Contains(u.Host+u.Path, "@") {
		// The error of url.Parse quotes the address, and with it the secret. One with an unescaped
		// / is taken for host and path.
		return c, errors.New("open bucket: the address is not a URL; percent-encode / : @ ? # in key and secret")
	}
	bad := func(format string, args ...any) (S3Config, error) {
		if u.Opaque != "" || u.Host == "" { // "s3:KEY:SECRET@host/bucket"
			return c, fmt.Errorf("open bucket: %s", fmt.Sprintf(format, args...))
		}
		return c, fmt.Errorf("open bucket %s: %s", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), fmt.Sprintf(format, args...))
	}
	bucket, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if u.Scheme != "s3" || u.Hostname() == "" || bucket == "" {
		return bad("want s3://KEY:SECRET@host:port/bucket/prefix")
	}
	c = S3Config{Endpoint: u.Host, Bucket: bucket, Prefix: prefix, TLS: !loopback(u.Hostname())}
	if prefix != "" {
		if err := ValidKey(prefix); err != nil {
			return bad("prefix: %v", err)
		}
	}
	c.AccessKey = u.User.Username()
	c.Secret, _ = u.User.Password()
	if (c.AccessKey == "") != (c.Secret == "") {
		return bad("key and secret go together")
	}
	settings, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return bad("malformed settings after the ?")
	}
	for name, values := range settings {
		if err := c.set(name, values[0]); err != nil {
			return bad("%v", err)
		}
	}
	if c.AccessKey != "" && c.CredentialsFile+c.Profile != "" {
		return bad("key and secret are given, and so are credentials or profile: give one of them")
	}
	if c.CA != "" && !c.TLS {
		return bad("ca is for tls=true")
	}
	return c, nil
}

// set reads one setting of an address.
func (c *S3Config) set(name, value string) (err error) {
	switch name {
	case "region":
		c.Region = value
	case "tls":
		if c.TLS, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("tls=%q: want true or false", value)
		}
	case "style":
		if c.Style = value; value != StylePath && value != StyleHost {
			return fmt.Errorf("style=%q: want path or host", value)
		}
	case "ca":
		c.CA = value
	case "credentials":
		c.CredentialsFile = value
	case "profile":
		c.Profile = value
	default:
		return fmt.Errorf("unknown setting %q: want region, tls, style, ca, credentials or profile", name)
	}
	return nil
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// url is the server's address.
func (c *S3Config) url() url.URL {
	scheme := "http"
	if c.TLS {
		scheme = "https"
	}
	return url.URL{Scheme: scheme, Host: c.Endpoint}
}

// amazon reports whether the server is Amazon's.
func (c *S3Config) amazon() bool { return s3utils.IsAmazonEndpoint(c.url()) }

// region returns the region that requests are signed for.
func (c *S3Config) region() string {
	if c.Region != "" {
		return c.Region
	}
	if c.amazon() {
		if r := s3utils.GetRegionFromURL(c.url()); r != "" {
			return r
		}
	}
	if c.AccessKey == "" {
		for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
			if r := os.Getenv(name); r != "" {
				return r
			}
		}
	}
	return "us-east-1"
}

// lookup is Style as the library knows it.
func (c *S3Config) lookup() minio.BucketLookupType {
	switch c.Style {
	case StylePath:
		return minio.BucketLookupPath
	case StyleHost:
		return minio.BucketLookupDNS
	}
	return minio.BucketLookupAuto
}

// bucketURL is the address that the bucket is listed at, as the library makes it for the requests of
// objects.
func (c *S3Config) bucketURL() *url.URL {
	u := c.url()
	virtual := c.Style == StyleHost || c.Style == "" && s3utils.IsVirtualHostSupported(u, c.Bucket)
	if c.amazon() && !s3utils.IsAmazonFIPSEndpoint(u) && !s3utils.IsAmazonPrivateLinkEndpoint(u) {
		u.Host = "s3.dualstack." + c.region() + ".amazonaws.com"
		if strings.HasPrefix(c.region(), "cn-") {
			u.Host += ".cn"
		}
	}
	// A port that goes without saying is not part of the host that is signed.
	u.Host = strings.TrimSuffix(u.Host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
	u.Path = "/"
	if virtual {
		u.Host = c.Bucket + "." + u.Host
	} else {
		u.Path = "/" + c.Bucket + "/"
	}
	return &u
}
