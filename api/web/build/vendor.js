// What ../graphiql/console.js needs from npm, and nothing more.
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";

export { explorerPlugin } from "@graphiql/plugin-explorer";
export { setNonce } from "get-nonce";
export { GraphiQL } from "graphiql";
export { createElement } from "react";
export { createRoot } from "react-dom/client";
