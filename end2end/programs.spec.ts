// A program at work beside people: what they see of it.
import { violations } from "./accessibility.ts";
import { expect, newDashboard, test } from "./company.ts";
import { Script } from "./script.ts";

test("a program has a mark of its own among people", async ({ company }) => {
  const admin = await company.setUp();
  const grace = await company.join(admin, "Grace", "editor");
  const id = await newDashboard(admin, "Orders");
  const made = await admin.context.request.post("/api/v1/me/tokens", {
    data: { name: "Importer", scopes: ["write:dashboards"], team: "everyone" },
    headers: { origin: company.server.origin },
  });
  expect(made.status()).toBe(201);
  await admin.open(id);
  await grace.open(id);
  const stat = await admin.add("stat");
  await admin.saved();
  const { page } = admin;
  const program = await Script.join(company.server, id, "", (await made.json()).token);

  // Who is here.
  const mark = (within: string) => page.locator(within).getByRole("img", { name: "Program" });
  const here = page.locator('[data-testid="collaborator"][aria-label="Importer, a program. Follow"]');
  await expect(here.locator(".avatar.program svg")).toBeVisible();
  await expect(admin.collaborator(grace).locator(".avatar")).toHaveText("Gr");
  await expect(admin.collaborator(grace).locator(".avatar.program")).toHaveCount(0);

  // What was done.
  await program.edit({ op: "set", id: stat, field: "title", value: "By the program" });
  await expect(admin.title(stat)).toHaveText("By the program");
  await page.getByTestId("activity-open").click();
  await expect(mark('[data-testid="activity"]').first()).toBeVisible();
  await expect(page.getByTestId("activity-by").getByRole("option", { name: "Importer (program)" })).toHaveCount(1);
  expect(await violations(page)).toEqual([]);

  // Two values: that of a program, which had not seen the other.
  await page.keyboard.press("Escape");
  const { revision } = await (await admin.context.request.get(`/api/v1/dashboards/${id}`)).json();
  await admin.rename(stat, "By Ada");
  await admin.saved();
  await program.change(revision, [{ op: "set", id: stat, field: "title", value: "By the program again" }]);
  await page.getByTestId("conflicts-open").click();
  await expect(mark('[data-testid="conflict"]')).toHaveCount(1);
  expect(await violations(page)).toEqual([]);
  program.leave();
  for (const person of [admin, grace]) await person.leave();
});
