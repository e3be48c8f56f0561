package influxdb

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"millrace/internal/certs"
)

// Client makes requests of one database.
type Client struct {
	cfg     Config
	timeout time.Duration
	http    *http.Client
	broken  error // why no request can be made, nil

	password, token secret
}

// NewClient returns a Client. Timeout bounds a write, and of a query the wait for each chunk of its answer. Transport
// may be nil.
func NewClient(cfg Config, timeout time.Duration, transport http.RoundTripper) *Client {
	c := &Client{cfg: cfg, timeout: timeout}
	c.password.value, c.password.path = cfg.Password, cfg.PasswordFile
	c.token.value, c.token.path = cfg.Token, cfg.TokenFile
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 8
		transport = t
		if cfg.CA != "" {
			var trusted *certs.Authorities
			if trusted, c.broken = certs.OpenAuthorities(cfg.CA); c.broken == nil {
				transport = trusted.Transport(t)
			}
		}
	}
	c.http = &http.Client{
		Transport: transport,
		// A redirected POST becomes a GET that answers 200 and writes nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Config returns what the Client was made with.
func (c *Client) Config() Config { return c.cfg }

// CloseIdle closes connections that no request uses.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// StatusError is an answer that is not a success.
type StatusError struct {
	// Code is the HTTP status; 200 if the error came in the body of a query's answer.
	Code int
	// Message is what the server said, cut to a few hundred bytes.
	Message string
	// RetryAfter is how long the server asked to be left alone; 0 if it did not.
	RetryAfter time.Duration
	// Remedy is what an operator can do about it, "" if that is not known.
	Remedy string
}

func (e *StatusError) Error() string {
	if e.Code == http.StatusOK {
		return "InfluxDB: " + e.Message
	}
	text := fmt.Sprintf("InfluxDB: %d %s: %s", e.Code, http.StatusText(e.Code), e.Message)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// remedy returns StatusError.Remedy.
func (c *Client) remedy(err *StatusError) string {
	login := c.cfg.User != "" || c.cfg.Token != "" || c.cfg.TokenFile != ""
	switch {
	case err.Code == http.StatusUnauthorized && !login:
		return "the server wants a login: http://USER:PASSWORD@HOST:PORT/DATABASE, or ?token= behind it"
	case err.Code == http.StatusUnauthorized:
		return "user and password, or the token, in the address are not right"
	case err.Code == http.StatusForbidden:
		return "give this user the right"
	case NoDatabase(err):
		return "make the database, or give the user the right to make it"
	case err.Code == http.StatusNotFound:
		return "is another server at this address?"
	}
	return ""
}

// Write posts lines of line protocol with times in seconds. Encoding is "gzip" or "".
func (c *Client) Write(ctx context.Context, lines []byte, encoding string) error {
	params := url.Values{"precision": {"s"}}
	where := "/write"
	if c.cfg.V2() {
		where = "/api/v2/write"
		params.Set("org", c.cfg.Org)
		params.Set("bucket", c.cfg.Bucket)
	} else {
		params.Set("db", c.cfg.DB)
		if c.cfg.RP != "" {
			params.Set("rp", c.cfg.RP)
		}
	}
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.post(ctx, where, params, h, bytes.NewReader(lines))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// Reading to the end lets the connection be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return nil
}

// CreateDatabase creates the database, which is no error if it is there. Only 1.x can.
func (c *Client) CreateDatabase(ctx context.Context) error {
	return c.Query(ctx, "CREATE DATABASE "+QuoteName(c.cfg.DB), func(*Series) error { return nil })
}

// HasDatabase reports whether the database is there. The user needs rights on it, or it is not shown.
func (c *Client) HasDatabase(ctx context.Context) (has bool, err error) {
	err = c.Query(ctx, "SHOW DATABASES", func(s *Series) error {
		name := s.Column("name")
		for _, row := range s.Values {
			has = has || Text(row, name) == c.cfg.DB
		}
		return nil
	})
	return has, err
}

// post returns an answer with a status of success, or an error.
func (c *Client) post(ctx context.Context, where string, params url.Values, h http.Header, body io.Reader) (*http.Response, error) {
	return c.do(ctx, http.MethodPost, where, params, h, body)
}

// do is post for any method.
func (c *Client) do(ctx context.Context, method, where string, params url.Values, h http.Header, body io.Reader) (*http.Response, error) {
	u := c.cfg.Base.JoinPath(where)
	u.RawQuery = params.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request to %s: %w", c.cfg, err)
	}
	req.Header = h
	req.Header.Set("User-Agent", "millrace")
	password, passwordErr := c.password.get()
	token, tokenErr := c.token.get()
	if err := errors.Join(c.broken, passwordErr, tokenErr); err != nil {
		return nil, fmt.Errorf("make request to %s: %w", c.cfg, err)
	}
	switch {
	case c.cfg.User != "":
		req.SetBasicAuth(c.cfg.User, password)
	case token != "":
		req.Header.Set("Authorization", "Token "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	refused := &StatusError{
		Code:       resp.StatusCode,
		Message:    clip(redact(message(resp), c.cfg.User, password, token)),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	refused.Remedy = c.remedy(refused)
	return nil, refused
}

// explain adds the remedy to the error of a request that had no answer, which names method, address and cause.
func explain(err error) error {
	var unknown x509.UnknownAuthorityError
	var network *net.OpError
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("the server can't be reached: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate is of an authority that is not trusted: give its PEM file with ?ca=FILE in the URL: %w", err)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the server does not speak TLS: write http://: %w", err)
	case strings.Contains(err.Error(), "malformed HTTP response"):
		return fmt.Errorf("if the server speaks TLS, write https://: %w", err)
	}
	return err
}

// message finds the server's words: {"error":…} in 1.x and 3.x, {"message":…} in 2.x, a page from a proxy.
func message(resp *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var m struct{ Error, Message string }
	if json.Unmarshal(b, &m) == nil && m.Error+m.Message != "" {
		return m.Error + m.Message
	}
	if h := resp.Header.Get("X-Influxdb-Error"); h != "" {
		return h
	}
	return string(b)
}

// redact takes what is secret out of the words of a server: some show the request that they refuse.
func redact(text, user, password, token string) string {
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	for _, secret := range []string{basic, password, token, url.QueryEscape(password), url.QueryEscape(token)} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

// clip makes text of a server fit for one line of a log.
func clip(s string) string {
	const most = 400
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// retryAfter reads the header's two forms, seconds and a date.
func retryAfter(s string, now time.Time) time.Duration {
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(s); err == nil {
		return time.Duration(min(max(n, 0), 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
