package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"millrace/ingest/client"
)

// A shop that counts views of its pages, and its orders.
func Example() {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"accepted":2}`)
	}))
	defer collector.Close()

	c, err := client.New(client.Options{
		URL:  collector.URL, // https://stats.example.com
		Site: "shop.example.com",
		Key:  "0123456789abcdef",
		OnError: func(events []client.Event, err error) {
			fmt.Println(len(events), "events are lost:", err)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<form method=post>…</form>")
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		e := c.FromRequest(r, "Order")
		e.Revenue = &client.Revenue{Amount: 12.5, Currency: "EUR"}
		e.Props = map[string]any{"plan": "pro"}
		if err := c.Track(e); err != nil {
			fmt.Println(err) // such as client.ErrFull: the order is made all the same
		}
	})
	shop := c.Pages(mux, nil)

	for _, method := range []string{"GET", "POST"} { // a visitor
		r := httptest.NewRequest(method, "https://shop.example.com/cart", nil)
		r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0")
		shop.ServeHTTP(httptest.NewRecorder(), r)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", c.Stats())
	// Output:
	// POST /v1/events Bearer 0123456789abcdef
	// {Delivered:2 Dropped:0 Refused:0 Lost:0 Full:0 Pending:0 Retries:0}
}
