// GraphiQL at /graphql, in the chosen role. A role is a page of its own (?role=volunteer): GraphiQL's stores are
// global, so changing the role loads the page anew.
import { createElement, createRoot, explorerPlugin, GraphiQL, setNonce } from "./vendor.js";

const { mode, nonce } = document.documentElement.dataset;
const [roles, clock, token, status] = ["role", "clock", "token", "status"].map((id) => document.getElementById(id));
const samples = document.getElementById("samples");

const asked = new URLSearchParams(location.search).get("role");
if ([...roles.options].some(({ value }) => value === asked)) roles.value = asked;
const role = roles.value;
clock.value = sessionStorage.getItem("wushe:now") ?? "";
roles.addEventListener("change", () => location.assign(`?role=${roles.value}`));
clock.addEventListener("change", () => sessionStorage.setItem("wushe:now", clock.value));

// What stands in the editors belongs to this role and this browser tab; settings and history to the browser.
const EDITORS = ["tabState", "query", "variables", "headers", "operationName"].map((key) => `graphiql:${key}`);
const placeOf = (key) => (EDITORS.includes(key) ? [sessionStorage, `wushe:${role}:${key}`] : [localStorage, key]);
const storage = {
  get length() {
    return sessionStorage.length + localStorage.length;
  },
  getItem(key) {
    const [store, place] = placeOf(key);
    return store.getItem(place);
  },
  setItem(key, value) {
    const [store, place] = placeOf(key);
    store.setItem(place, value);
  },
  removeItem(key) {
    const [store, place] = placeOf(key);
    store.removeItem(place);
  },
  clear() {
    EDITORS.forEach(storage.removeItem);
    Object.keys(localStorage).filter((key) => key.startsWith("graphiql:")).forEach(storage.removeItem);
  },
};

async function openSamples() {
  const { samples: operations, variables } = roles.selectedOptions[0].dataset;
  storage.setItem("graphiql:query", await (await fetch(operations)).text());
  if (variables) storage.setItem("graphiql:variables", await (await fetch(variables)).text());
}

// What GraphiQL is about to write would come after a removal here: the page that comes next removes it.
const restoring = `wushe:${role}:restoring`;
samples.addEventListener("click", () => {
  sessionStorage.setItem(restoring, "yes");
  location.reload();
});

// Demo tokens live in memory only: a fresh one for each page, and again when the server no longer takes it.
async function signIn() {
  status.textContent = mode === "demo" ? "未登录" : "";
  if (mode !== "demo" || role === "public") return;
  const answer = await fetch(`/demo/token/${role}`);
  if (!answer.ok) throw new Error(`取不到演示令牌：HTTP ${answer.status}`);
  token.value = (await answer.json()).token;
  status.textContent = "已登录";
}

// Everything that is answered, in turn: one answer, or those of a stream as they come.
async function* post(parameters, headers, signal) {
  const send = () =>
    fetch("/graphql", {
      method: "POST",
      signal,
      headers: {
        Accept: "application/graphql-response+json, application/json;q=0.9, text/event-stream;q=0.5",
        "Content-Type": "application/json",
        ...(token.value && { Authorization: `Bearer ${token.value.trim()}` }),
        ...(clock.value && { "X-Wushe-Now": `${clock.value}+08:00` }),
        ...headers,
      },
      body: JSON.stringify(parameters),
    });
  let answer = await send();
  if (answer.status === 401 && mode === "demo") {
    await signIn();
    answer = await send();
  }
  if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) {
    yield* events(answer.body);
    return;
  }
  const text = await answer.text();
  try {
    yield JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${answer.status}：${text.slice(0, 200)}`);
  }
}

// A stream's answers (graphql-sse, distinct connections) until it says that it is complete.
async function* events(body) {
  let text = "";
  for await (const part of body.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const lines = Object.fromEntries(text.slice(0, end).split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (lines.event === "complete") return;
      if (lines.event === "next") yield JSON.parse(lines.data);
    }
  }
  throw new Error("订阅中断：请重新执行，并用最后收到的 cursor 作为 since。");
}

// An observable, so that GraphiQL's stop button ends the request and with it the statement in PostgreSQL.
const fetcher = (parameters, options) => ({
  subscribe({ next, error, complete }) {
    const leaving = new AbortController();
    (async () => {
      for await (const answer of post(parameters, options?.headers, leaving.signal)) next(answer);
      complete();
    })().catch((problem) => leaving.signal.aborted || error(problem));
    return { unsubscribe: () => leaving.abort() };
  },
});

setNonce(nonce); // GraphiQL's dialogs add a style element, which the page's policy otherwise refuses

try {
  if (sessionStorage.getItem(restoring)) {
    EDITORS.forEach(storage.removeItem);
    sessionStorage.removeItem(restoring);
  }
  if (!storage.getItem("graphiql:tabState")) await openSamples();
  await signIn();
} catch (problem) {
  status.textContent = problem.message;
}

createRoot(document.getElementById("graphiql")).render(
  createElement(
    GraphiQL,
    {
      fetcher,
      storage,
      plugins: [explorerPlugin({})],
      defaultQuery: "# 在这里写查询，Ctrl-Enter 执行\n",
      inputValueDeprecation: true,
      schemaDescription: true,
      shouldPersistHeaders: false,
    },
    createElement(GraphiQL.Logo, null, "GraphiQL"),
  ),
);
