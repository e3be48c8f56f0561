package hitfile

// row is the schema of a file; only its type is used. The package comment documents the columns.
type row struct {
	Site           string `parquet:"site,dict"`
	Visitor        *int64 `parquet:"visitor,optional"`
	Visit          *int64 `parquet:"visit,optional"`
	Time           int64  `parquet:"ts,timestamp(millisecond),delta"`
	Class          string `parquet:"class,dict"`
	Counted        *int64 `parquet:"counted,optional,timestamp(millisecond)"`
	Name           string `parquet:"name,dict"`
	Pageview       bool   `parquet:"pageview"`
	NonInteractive bool   `parquet:"non_interactive"`
	Page           string `parquet:"page,dict"`
	Hostname       string `parquet:"hostname,dict"`
	EntryPage      string `parquet:"entry_page,dict"`
	Source         string `parquet:"source,dict"`
	Referrer       string `parquet:"referrer,dict"`
	Channel        string `parquet:"channel,dict"`
	UTMSource      string `parquet:"utm_source,dict"`
	UTMMedium      string `parquet:"utm_medium,dict"`
	UTMCampaign    string `parquet:"utm_campaign,dict"`
	UTMContent     string `parquet:"utm_content,dict"`
	UTMTerm        string `parquet:"utm_term,dict"`
	Country        string `parquet:"country,dict"`
	Region         string `parquet:"region,dict"`
	City           string `parquet:"city,dict"`
	Language       string `parquet:"language,dict"`
	Browser        string `parquet:"browser,dict"`
	BrowserVersion string `parquet:"browser_version,dict"`
	OS             string `parquet:"os,dict"`
	OSVersion      string `parquet:"os_version,dict"`
	Device         string `parquet:"device,dict"`
	Screen         string `parquet:"screen,dict"`
	Reason         string `parquet:"reason,dict"`
	Revenue        *int64 `parquet:"revenue_amount,optional,decimal(4:18)"`
	Currency       string `parquet:"revenue_currency,dict"`
	Props          string `parquet:"props,optional,dict"`
	Engaged        *int64 `parquet:"engaged_ms,optional"`
	Scroll         *int32 `parquet:"scroll_depth,optional"`
	Topic          string `parquet:"source_topic,dict"`
	Partition      int32  `parquet:"source_partition,delta"`
	Offset         int64  `parquet:"source_offset,delta"`
	Index          int32  `parquet:"source_index,delta"`
}
