import "graphiql/style.css";
import "./page.css";
import "./workers";
import { createRoot } from "react-dom/client";
import { Page } from "./page";

const root = document.getElementById("page");
if (root) createRoot(root).render(<Page />);
