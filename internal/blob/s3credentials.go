package blob

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"millrace/internal/certs"
	"millrace/internal/secretfile"
)

// credentialTime bounds a request for credentials.
const credentialTime = 10 * time.Second

// finder finds credentials in the order that Amazon's own programs look in. Unlike the library's
// chain it does not go on where a source is configured and fails: the operator learns why, and no
// request goes out under another name than the one that was meant.
type finder struct {
	sources []source
	current credentials.Provider
}

// source is a place that credentials may come from.
type source struct {
	name string
	// configured reports whether the source is to be used.
	configured func() bool
	credentials.Provider
}

// credentials returns the credentials of a bucket, which are found and renewed as requests need
// them. Trust is for a server of tokens; it may be nil.
func (c *S3Config) credentials(trust func(*http.Transport) http.RoundTripper) *credentials.Credentials {
	if c.AccessKey != "" {
		return credentials.NewStaticV4(c.AccessKey, c.Secret, "")
	}
	always := func() bool { return true }
	file := &sharedFile{FileAWSCredentials: credentials.FileAWSCredentials{Filename: c.CredentialsFile, Profile: c.Profile}}
	if c.CredentialsFile+c.Profile != "" {
		return credentials.New(&finder{sources: []source{{file.String(), always, file}}})
	}
	// Connections are not kept: the next request is hours away. No proxy reaches the addresses of
	// this machine alone.
	direct := &http.Client{Timeout: credentialTime, Transport: &http.Transport{DisableKeepAlives: true}}
	sts := &http.Client{Timeout: credentialTime, Transport: trust(&http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	})}
	return credentials.New(&finder{sources: []source{
		{"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", set("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"), &credentials.EnvAWS{}},
		{"MINIO_ROOT_USER and MINIO_ROOT_PASSWORD", set("MINIO_ROOT_USER", "MINIO_ACCESS_KEY"), &credentials.EnvMinio{}},
		{"web identity of AWS_WEB_IDENTITY_TOKEN_FILE", set("AWS_WEB_IDENTITY_TOKEN_FILE"), &credentials.IAM{
			Client: sts, Endpoint: os.Getenv("AWS_ENDPOINT_URL_STS"),
		}},
		{file.String(), file.there, file},
		{"container's credentials", set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"), &credentials.IAM{Client: direct}},
		{"instance metadata", c.onInstance, &credentials.IAM{Client: direct, Endpoint: os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT")}},
	}})
}

// set returns a function that reports whether one of some variables is set.
func set(names ...string) func() bool {
	return func() bool {
		for _, name := range names {
			if os.Getenv(name) != "" {
				return true
			}
		}
		return false
	}
}

// onInstance reports whether the metadata of a machine in Amazon's cloud are to be asked: elsewhere
// the address has no answer, and what it gives is good for Amazon alone.
func (c *S3Config) onInstance() bool {
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return false
	}
	return c.amazon() || os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != ""
}

// RetrieveWithCredContext returns the credentials of the first source that is configured, and
// anonymous ones if none is.
func (f *finder) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	for _, s := range f.sources {
		if !s.configured() {
			continue
		}
		v, err := s.RetrieveWithCredContext(cc)
		if err == nil && (v.AccessKeyID == "" || v.SecretAccessKey == "") {
			err = errors.New("the key or the secret is missing")
		}
		if err != nil {
			return credentials.Value{}, fmt.Errorf("find credentials: %s: %w", s.name, err)
		}
		f.current = s.Provider
		return v, nil
	}
	return credentials.Value{SignerType: credentials.SignatureAnonymous}, nil
}

// Retrieve implements credentials.Provider.
func (f *finder) Retrieve() (credentials.Value, error) { return f.RetrieveWithCredContext(nil) }

// IsExpired reports whether to look again, which without credentials is before each request.
func (f *finder) IsExpired() bool { return f.current == nil || f.current.IsExpired() }

// sharedFile is a shared credentials file, which is read again when it changes.
type sharedFile struct {
	credentials.FileAWSCredentials
	read    string // of what the credentials were read, see stamp
	expires bool   // they have an end of their own
}

// paths returns the files that the credentials are read from.
func (f *sharedFile) paths() []string {
	if f.Filename != "" {
		return []string{f.Filename}
	}
	home, _ := os.UserHomeDir()
	var paths []string
	for _, f := range []struct{ variable, name string }{{"AWS_CONFIG_FILE", "config"}, {"AWS_SHARED_CREDENTIALS_FILE", "credentials"}} {
		if path := os.Getenv(f.variable); path != "" {
			paths = append(paths, path)
		} else if home != "" {
			paths = append(paths, filepath.Join(home, ".aws", f.name))
		}
	}
	return paths
}

// there reports whether somebody has said to use the file, or has one where it is looked for.
func (f *sharedFile) there() bool {
	if set("AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE")() {
		return true
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(home, ".aws", "credentials"))
	return err == nil
}

func (f *sharedFile) String() string {
	name := "the shared credentials file"
	if f.Filename != "" {
		name = "file " + f.Filename
	}
	profile := f.Profile
	if profile == "" {
		profile = os.Getenv("AWS_PROFILE")
	}
	if profile == "" {
		profile = "default"
	}
	return fmt.Sprintf("profile %q of %s", profile, name)
}

// stamp changes when one of the files does.
func (f *sharedFile) stamp() string {
	var b strings.Builder
	for _, path := range f.paths() {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintln(&b, path, info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}

// RetrieveWithCredContext reads the file. Errors of the parser quote lines, which may hold a secret:
// they are not shown.
func (f *sharedFile) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	f.read = f.stamp()
	v, err := f.FileAWSCredentials.RetrieveWithCredContext(cc)
	f.expires = !v.Expiration.IsZero()
	if err == nil {
		return v, nil
	}
	var path *fs.PathError
	var command *exec.ExitError
	switch text := err.Error(); {
	case errors.As(err, &path):
		return v, fmt.Errorf("read %s: %w", path.Path, path.Err)
	case errors.As(err, &command):
		return v, fmt.Errorf("its credential_process: %w", err)
	case strings.HasPrefix(text, "section ") && strings.HasSuffix(text, " does not exist"):
		return v, errors.New("there is no such profile in it")
	case strings.HasPrefix(text, "profile has "), strings.Contains(text, "SSO"):
		return v, err // of the library, with nothing of the file
	}
	return v, errors.New("it is malformed: want a line [PROFILE], and below it aws_access_key_id = … and aws_secret_access_key = …")
}

// IsExpired implements credentials.Provider.
func (f *sharedFile) IsExpired() bool {
	return f.read != f.stamp() || f.expires && f.FileAWSCredentials.IsExpired()
}

// Validate reports files of the settings that can't be read or are not what they are to be. It makes
// no request: a profile that needs one is not tried.
func (c *S3Config) Validate() error {
	wrap := func(err error) error {
		return fmt.Errorf("open bucket %q at %s: %w", c.Bucket, c.Endpoint, err)
	}
	if c.CA != "" {
		if _, err := certs.Pool(c.CA); err != nil {
			return wrap(fmt.Errorf("ca: %w", err))
		}
	}
	if c.CredentialsFile == "" {
		return nil
	}
	text, err := secretfile.Bytes(c.CredentialsFile, secretfile.MaxBytes)
	if err != nil {
		return wrap(fmt.Errorf("credentials: read %s: %w", c.CredentialsFile, err))
	}
	if bytes.Contains(text, []byte("sso_")) || bytes.Contains(text, []byte("credential_process")) {
		return nil
	}
	if _, err := c.credentials(nil).GetWithContext(nil); err != nil {
		return wrap(err)
	}
	return nil
}
