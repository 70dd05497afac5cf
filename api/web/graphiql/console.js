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

async function post(parameters, headers, signal) {
  const send = () =>
    fetch("/graphql", {
      method: "POST",
      signal,
      headers: {
        Accept: "application/graphql-response+json, application/json;q=0.9",
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
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${answer.status}：${text.slice(0, 200)}`);
  }
}

// An observable, so that GraphiQL's stop button ends the request and with it the statement in PostgreSQL.
const fetcher = (parameters, options) => ({
  subscribe({ next, error, complete }) {
    const leaving = new AbortController();
    post(parameters, options?.headers, leaving.signal).then(
      (answer) => {
        next(answer);
        complete();
      },
      (problem) => leaving.signal.aborted || error(problem),
    );
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
