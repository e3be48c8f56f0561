// What every page here begins with: the job that the test gives it, which stands above, and words for
// what the client learns of it. A page sends the events of the job once and in the way that its library
// documents.
//
// The job has url and host, of the collector or a proxy; token, the tracker's id of the site; site, the
// host of the page; and the events.
job.sends = (name) => job.events.split(',').includes(name)
job.success = () => console.log('success')
job.failure = (why) => console.log('failure', String(why?.message ?? why))
