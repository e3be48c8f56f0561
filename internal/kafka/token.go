package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"millrace/internal/secretfile"
)

const (
	// tokenTimeout bounds a request for a token.
	tokenTimeout = 5 * time.Second
	// tokenBytes is the most of an answer that is read, and of a token's file.
	tokenBytes = 64 << 10
)

// token is one that was requested, and when the next is due: after four fifths of its life, so that
// no login is made with one that is about to expire.
type token struct {
	text string
	due  time.Time
}

// currentToken returns the token of a login: what its file has now, or the last one that was
// requested as long as it is good.
func (s *Security) currentToken(ctx context.Context) (string, error) {
	if s.TokenFile != "" {
		return s.readToken()
	}
	// Many connections are opened at once: the first of them requests, the others wait for it.
	s.tokenMu.Lock()
	defer s.tokenMu.Unlock()
	if s.token.text != "" && time.Now().Before(s.token.due) {
		return s.token.text, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	t, err := s.requestToken(ctx)
	if err != nil {
		return "", fmt.Errorf("--kafka-token-url: %w", err)
	}
	s.token = t
	return t.text, nil
}

func (s *Security) readToken() (string, error) {
	data, err := secretfile.Bytes(s.TokenFile, tokenBytes)
	if err == nil {
		var lines []string
		if lines, err = secretfile.Parse(data, false); err == nil {
			return lines[0], nil
		}
	}
	return "", fmt.Errorf("--kafka-token-file: read %s: %w", s.TokenFile, err)
}

// requestToken requests a token by client credentials (RFC 6749, 4.4). No error has anything of the
// secret or of a token.
func (s *Security) requestToken(ctx context.Context) (token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if s.Scope != "" {
		form.Set("scope", s.Scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, errors.New("it is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(s.User), url.QueryEscape(s.password()))
	// A client of its own, whose connection is closed: requests are minutes apart.
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would take the secret elsewhere
	}
	resp, err := client.Do(req)
	if err != nil {
		var uerr *url.Error // has the URL, whose query may have a key
		if errors.As(err, &uerr) {
			err = uerr.Err
		}
		return token{}, fmt.Errorf("request a token from %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenBytes))
	if err != nil {
		return token{}, fmt.Errorf("request a token from %s: read the answer: %w", req.URL.Host, err)
	}
	var answer struct {
		Token   string  `json:"access_token"`
		Expires float64 `json:"expires_in"` // seconds
		Error   string  `json:"error"`
	}
	jsonErr := json.Unmarshal(body, &answer)
	switch {
	case resp.StatusCode != http.StatusOK && answer.Error != "" && len(answer.Error) < 100:
		return token{}, fmt.Errorf("%s gives no token: status %d, %q", req.URL.Host, resp.StatusCode, answer.Error)
	case resp.StatusCode != http.StatusOK:
		return token{}, fmt.Errorf("%s gives no token: status %d", req.URL.Host, resp.StatusCode)
	case jsonErr != nil || answer.Token == "":
		return token{}, fmt.Errorf("the answer of %s is no JSON with an access_token", req.URL.Host)
	}
	life := time.Duration(min(answer.Expires, 24*60*60) * float64(time.Second))
	return token{answer.Token, time.Now().Add(life * 4 / 5)}, nil
}

// tokenProvider gives Sarama the token of each login.
type tokenProvider struct{ security *Security }

func (p tokenProvider) Token() (*sarama.AccessToken, error) {
	text, err := p.security.currentToken(context.Background())
	if err != nil {
		return nil, err
	}
	return &sarama.AccessToken{Token: text, Extensions: p.security.Extensions}, nil
}
