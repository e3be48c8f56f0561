package hitfile

// visitRow is the schema of a file of visits; only its type is used. The package comment documents the columns.
type visitRow struct {
	Site           string `parquet:"site,dict"`
	Visitor        *int64 `parquet:"visitor,optional"`
	Visit          int64  `parquet:"visit"`
	Into           *int64 `parquet:"into,optional"`
	Begin          int64  `parquet:"begin,timestamp(millisecond),delta"`
	End            *int64 `parquet:"end,optional,timestamp(millisecond)"`
	Events         int32  `parquet:"events,delta"`
	Pageviews      int32  `parquet:"pageviews,delta"`
	Interactive    bool   `parquet:"interactive"`
	Pinged         bool   `parquet:"pinged"`
	Bounce         bool   `parquet:"bounce"`
	Seconds        int64  `parquet:"seconds,delta"`
	EntryPage      string `parquet:"entry_page,dict"`
	ExitPage       string `parquet:"exit_page,dict"`
	Hostname       string `parquet:"hostname,dict"`
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
	Topic          string `parquet:"source_topic,dict"`
	Partition      int32  `parquet:"source_partition,delta"`
}
