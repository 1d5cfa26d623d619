// The search takes a leading dash as "not this word". Whoever looks for --keep-mb wants the option: drop the dashes.
const post = Worker.prototype.postMessage
Worker.prototype.postMessage = function (message, ...rest) {
  if (message && message.type === 2 && typeof message.data === "string")
    message = { ...message, data: message.data.replace(/(^|\s)-+(?=\w)/g, "$1") }
  return post.call(this, message, ...rest)
}
