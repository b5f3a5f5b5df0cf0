// For nginx' JavaScript module: adds the script to the end of pages, as add_after_body does where that is built in.
function isPage(r) {
  return r.method === "GET" && /^text\/html\b/i.test(r.headersOut["Content-Type"] || "");
}

function header(r) {
  if (isPage(r)) delete r.headersOut["Content-Length"];
}

function body(r, data, flags) {
  if (flags.last && isPage(r)) {
    r.sendBuffer(data, { last: false });
    r.sendBuffer('<script src="/.dev/reload.js"></script>', flags);
    r.done();
  } else {
    r.sendBuffer(data, flags);
  }
}

export default { header, body };
