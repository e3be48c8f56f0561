// Millrace's page script. docs/script.md is its manual; doc.go has what it may rely on. What browsers get is
// script.min.js, which go generate makes of this and which has at most 1,024 bytes with gzip: each line here has paid
// for its place, so that some are shorter than they would be elsewhere.
//
// It keeps nothing, neither a cookie nor in a storage. What it knows is gone with the page.
(doc => {
  let script = doc.currentScript, own = script.dataset;
  let before = window.plausible || 0, queue = before.q || []; // calls that came before the first view
  if (before.l) return; // the page has the script twice

  let api = own.api || new URL("../api/event", script.src);
  // What is switched on: words of data-track, or of the file's name (script.hash.outbound-links.js).
  let words = script.src.split("/").pop() + own.track;
  let has = word => words.includes(word);
  let hash = has("hash");

  let unsent = new Set(); // bodies that no answer has come to
  let path; // of the page that is shown, undefined before it is for the first time
  let referrer = doc.referrer; // once there is a view, its page
  let depth; // how far the page of the view was seen, in percent
  let since; // when the time in use began that no ping has reported, 0 while the page is hidden

  // post sends a body, and again after 2, 8, 32 and 128 s if there is no answer or one at which the collector wants it
  // again: it knows the id for ten minutes. What is sent from a page that is hidden may be the last that it does, so
  // that it goes as a beacon.
  let post = (body, callback, wait = 2e3) => {
    let end = res => {
      if (res.status < 429 || wait > 2e5) unsent.delete(body);
      else setTimeout(post, wait, body, 0, wait * 4);
      if (callback) callback(res);
    };
    if (doc.hidden && !callback && navigator.sendBeacon(api, body)) unsent.delete(body);
    else fetch(api, { method: "POST", body, keepalive: 1 }).then(end, end);
  };

  // track is window.plausible. A body is text, so that no browser asks the collector for leave first.
  let track = (name, o = {}) => {
    if (!path) return queue.push([name, o]);
    let body = JSON.stringify({
      ...own, ...o, id: Math.random(), name, w: screen.width, url: o.url || location.href, referrer, h: hash, v: 1,
    });
    unsent.add(body);
    post(body, o.callback);
    if (name == "pageview") {
      referrer = location.href;
      depth = 0;
      since = Date.now();
    }
  };

  // ping reports how far and for how long the page of the last view was read.
  let ping = () => {
    if (since && depth >= 0) track("engagement", { url: referrer, sd: depth, e: Date.now() - since });
  };

  // handle is called whatever happens; it looks what that was.
  let handle = e => {
    let to = 100 * (scrollY + innerHeight) / doc.documentElement.scrollHeight;
    if (to > depth) depth = to < 100 ? to : 100;

    // A page that is rendered ahead, or in a tab that is not looked at, has no view until it is shown.
    if (doc.hidden) {
      ping();
      since = 0;
      return unsent.forEach(body => post(body));
    }
    since = since || Date.now();

    // Another page, by pushState, a fragment, or the way back or forward. What replaceState has changed is seen at the
    // next event. Persisted: out of the back/forward cache.
    let last = path;
    path = hash ? location.href : location.pathname;
    if ((path != last || e.persisted) && !has("manual")) {
      ping();
      track("pageview");
    }
    if (!last) {
      queue.forEach(args => track(...args));
      if (has("404")) track("404");
    }

    // A form is submitted, everything else is clicked; button 1 is the wheel, which opens a link in another tab.
    let submit = e.type == "submit";
    if (submit || e.button < 2) {
      let at = e.target, el = at.closest("[data-event]") || at.closest("a,form");
      if (el && !el.action != submit) {
        let data = el.dataset;
        let name = data.event || (submit ? has("form") && "Form: Submission" :
          has("outbound") && el.host && el.host != location.host ? "Outbound Link: Click" :
          has("download") && /\.(pdf|(doc|xls|ppt)x?|csv|zip|rar|7z|gz|exe|dmg|apk|mp[34])$/.test(el.pathname) && "File Download");
        if (name) track(name, { props: data.props || { url: el.href }, revenue: data.revenue });
      }
    }
  };

  let push = history.pushState;
  history.pushState = (...args) => {
    push.apply(history, args);
    handle(0);
  };
  window.plausible = track;
  track.l = 1;
  "visibilitychange scroll auxclick pageshow click popstate submit".split(" ").map(name => addEventListener(name, handle, 1));
  handle(0);
})(document);
